<?php
// Written by mailstack; changes made here are undone by the next run.
// Tell fail2ban of logins, in lines as Dovecot writes them, with the address of the browser.

class mailstack extends rcube_plugin
{
    public function init()
    {
        $this->add_hook('login_failed', [$this, 'login_failed']);
        $this->add_hook('login_after', [$this, 'login_after']);
    }

    public function login_failed($about)
    {
        // other errors say nothing of the password: no answer of Dovecot, or a form that is too old
        if (in_array($about['code'], [null, 0, rcmail::ERROR_RATE_LIMIT], true)) {
            $password = rcube_utils::get_input_string('_pass', rcube_utils::INPUT_POST, true);
            // four digits tell one wrong password from another, and reveal neither
            $digits = substr(hash_hmac('sha256', $password, rcmail::get_instance()->config->get('des_key')), 0, 4);
            self::log('wrong login', $about['user'], "password=$digits, ");
        }
        return $about;
    }

    public function login_after($about)
    {
        self::log('login', rcmail::get_instance()->get_user_name());
        return $about;
    }

    public static function log(string $what, ?string $user, string $more = ''): void
    {
        $name = preg_replace('/[^!-;=?-~]/', '?', substr((string) $user, 0, 200));
        // PHP makes a line of the journal of each line of a text, and Roundcube logs texts of anybody. So these have a name that
        // no other line has
        openlog('mailstack-webmail-login', LOG_PID, LOG_MAIL);
        syslog(LOG_INFO, "$what: user=<$name>, {$more}rip=" . rcube_utils::remote_addr());
        openlog('mailstack-webmail', LOG_PID, LOG_MAIL);
    }
}
