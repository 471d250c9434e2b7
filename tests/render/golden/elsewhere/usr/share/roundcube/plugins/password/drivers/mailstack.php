<?php
// Written by mailstack; changes made here are undone by the next run.
// For the plugin "password" of Roundcube: change a password by a function of the database, which asks for the old one.
require_once '/usr/local/share/mailstack/webmail/proof.php';

class rcube_mailstack_password
{
    public function save($current, $new, $user)
    {
        try {
            $salt = mailstack_ask('SELECT public.mailstack_password_salt(?)', [$user]);
            $proof = is_string($salt) ? mailstack_proof($current, $salt) : null;
            if ($proof === null) {
                return ['code' => PASSWORD_ERROR, 'message' => 'The administrator has to change this password.'];
            }
            $change = 'SELECT CASE WHEN public.mailstack_change_password(?, ?, ?) THEN 1 ELSE 0 END';
            if (!mailstack_ask($change, [$user, $proof, mailstack_hash($new)])) {
                $message = 'You are logged in with an app password. Log in with your own password to change it.';
                return ['code' => PASSWORD_ERROR, 'message' => $message];
            }
        } catch (PDOException $error) {
            syslog(LOG_ERR, 'a password can\'t be changed: ' . $error->getMessage());
            return PASSWORD_CONNECT_ERROR;
        }
        mailstack::log('password changed', $user);
        return PASSWORD_SUCCESS;
    }
}
