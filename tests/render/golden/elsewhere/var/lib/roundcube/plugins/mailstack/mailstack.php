<?php
// Written by mailstack; changes made here are undone by the next run.
// Tell fail2ban of logins, in lines as Dovecot writes them, with the address of the browser. Give address books and all else to
// their users, whatever address these have. End sessions whose password has ended. And a page of the settings, for passwords of
// programs.
require_once '/usr/local/share/mailstack/webmail/proof.php';

class mailstack extends rcube_plugin
{
    private const NOBODY = '~'; // no row of users has this name
    private $made = null;
    private $directory = '';
    private $own = [];

    public function init()
    {
        $this->own = rcmail::get_instance()->config->all(); // the first plugin: no other has read its file yet
        $this->add_hook('config_get', [$this, 'config_get']);
        $this->add_hook('startup', [$this, 'startup']);
        $this->add_hook('email2user', [$this, 'email2user']);
        $this->add_hook('storage_connect', [$this, 'storage_connect']);
        $this->add_hook('login_failed', [$this, 'login_failed']);
        $this->add_hook('login_after', [$this, 'login_after']);
        if (rcmail::get_instance()->task == 'settings') {
            $this->add_hook('settings_actions', [$this, 'settings_actions']);
            $this->register_action('plugin.mailstack', [$this, 'show']);
            $this->register_action('plugin.mailstack-change', [$this, 'change']);
        }
    }

    /** Plugins read files in /etc/roundcube, which are for a Roundcube of the administrator's: they change nothing here. */
    public function config_get($about)
    {
        if (preg_match('/^(password|managesieve|markasjunk)_/', $about['name'])) {
            $about['result'] = $this->own[$about['name']] ?? $about['default'];
        }
        return $about;
    }

    /** End a session whose user could not log in any more, at most 60 seconds after that. */
    public function startup($about)
    {
        // the web server counts logins by this
        if ($about['task'] == 'login' && !str_contains($_SERVER['QUERY_STRING'] ?? '', '_task=login')) {
            $about['action'] = '';
        }
        if (isset($_SESSION['user_id']) && time() - ($_SESSION['mailstack_checked'] ?? 0) >= 60) {
            $user = $this->user();
            if ($this->is_ended()) {
                rcmail::get_instance()->kill_session();
                self::log('session ended', $user);
            } else {
                $_SESSION['mailstack_checked'] = time();
            }
        }
        return $about;
    }

    /** Return whether the account is another's now, or Dovecot refuses the password: it may be down, or its database. */
    private function is_ended(): bool
    {
        $directory = self::directory($this->user());
        $_SESSION['mailstack_directory'] ??= $directory; // a session of an earlier version of mailstack
        if ($directory === '' || $_SESSION['mailstack_directory'] !== $directory) {
            return true;
        }
        $rcmail = rcmail::get_instance();
        return !$rcmail->storage_connect() && $rcmail->get_storage()->conn->resultcode == 'AUTHENTICATIONFAILED';
    }

    /** Return the directory of a user, which stays with a new address, and is never given to another; empty without a user. */
    private static function directory(string $login): string
    {
        return (string) mailstack_ask('SELECT public.mailstack_directory_of(?)', [$login]);
    }

    /** Before Roundcube looks for the data of somebody who logs in: only the user's own have that name. */
    public function email2user($about)
    {
        $login = rcube_utils::idn_to_ascii($about['email']);
        $server = rcube_utils::parse_host_uri((string) rcmail::get_instance()->config->get('imap_host'), 143, 993);
        [$host] = $server;
        $this->directory = self::directory($login);
        $own = '(SELECT user_id FROM mailstack_owners WHERE directory = ?)';
        $differ = mailstack_ask("SELECT (EXISTS (SELECT FROM users WHERE username = ? AND user_id NOT IN $own)"
            . " OR EXISTS (SELECT FROM users WHERE (username, mail_host) <> (?, ?) AND user_id IN $own)"
            . ' OR EXISTS (SELECT FROM mailstack_owners WHERE directory = ? AND email <> ?))::int',
            [$login, $this->directory, $login, $host, $this->directory, $this->directory, $login]);
        if (!$differ) {
            return $about;
        }
        if (!$this->is_password_right($login, $server)) {
            $about['user'] = self::NOBODY; // also a password that becomes right just now opens no row
            return $about;
        }
        // no address begins so
        mailstack_ask("UPDATE users SET username = '~' || user_id WHERE username = ? AND user_id NOT IN $own",
            [$login, $this->directory]);
        mailstack_ask("UPDATE users SET username = ?, mail_host = ? WHERE user_id IN $own",
            [$login, $host, $this->directory]);
        mailstack_ask('UPDATE identities AS i SET email = ? FROM mailstack_owners AS o'
            . ' WHERE i.user_id = o.user_id AND i.email = o.email AND o.directory = ? AND o.email <> ?',
            [$login, $this->directory, $login]);
        mailstack_ask('UPDATE mailstack_owners SET email = ? WHERE directory = ?', [$login, $this->directory]);
        return $about;
    }

    /** Return whether Dovecot lets in who sent the form: until then, nothing is written for a stranger. */
    private function is_password_right(string $login, array $server): bool
    {
        [$host, $scheme, $port] = $server;
        $password = rcube_utils::get_input_string('_pass', rcube_utils::INPUT_POST, true);
        $storage = rcmail::get_instance()->get_storage();
        $is_right = $storage->connect($host, $login, $password, $port, $scheme);
        $storage->close();
        return $is_right;
    }

    /** Ask Dovecot once, as for all others: a second wait would tell that the address had another owner. Without a user, no question. */
    public function storage_connect($about)
    {
        $is_refused = rcmail::get_instance()->get_storage()->get_error_code() === rcube_imap_generic::ERROR_NO;
        if ($about['user'] === self::NOBODY && $is_refused) {
            $about['user'] = '';
        }
        return $about;
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
        $_SESSION['mailstack_directory'] = $this->directory;
        $_SESSION['mailstack_checked'] = time();
        mailstack_ask('INSERT INTO mailstack_owners (user_id, directory, email) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
            [$_SESSION['user_id'], $this->directory, $this->user()]);
        self::log('login', $this->user());
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

    public function settings_actions($about)
    {
        rcmail::get_instance()->load_language(null, ['mailstack.programs' => 'Programs and devices']);
        $about['actions'][] = [
            'action' => 'plugin.mailstack',
            'class' => 'password',
            'label' => 'programs',
            'title' => 'programs',
            'domain' => 'mailstack',
        ];
        return $about;
    }

    public function show()
    {
        $this->register_handler('plugin.body', [$this, 'page']);
        rcmail::get_instance()->output->set_pagetitle('Programs and devices');
        rcmail::get_instance()->output->send('plugin');
    }

    /** Make an app password, or take one away: Roundcube has checked the token of the form. */
    public function change()
    {
        $name = trim(rcube_utils::get_input_string('_name', rcube_utils::INPUT_POST));
        $remove = rcube_utils::get_input_string('_remove', rcube_utils::INPUT_POST);
        $service = rcube_utils::get_input_string('_service', rcube_utils::INPUT_POST);
        $output = rcmail::get_instance()->output;
        $proof = $this->proof();
        if ($remove != '') {
            if ($this->ask('SELECT public.mailstack_remove_app_password(?, ?, ?)::int', [$proof, $remove])) {
                self::log('app password removed', $this->user());
                $output->command('display_message', 'It is gone: that program can no longer log in.', 'confirmation');
            } else {
                $output->command('display_message', 'There is no such password.', 'error');
            }
        } elseif (!preg_match('/^[a-z0-9][a-z0-9._-]{0,62}$/', $name)) {
            $output->command('display_message', 'A name has a-z, 0-9, dots, hyphens and underscores.', 'error');
        } else {
            $password = self::generate();
            $add = 'SELECT public.mailstack_add_app_password(?, ?, ?, ?, ?)::int';
            if ($this->ask($add, [$proof, $name, self::digest($password), $service])) {
                self::log('app password made', $this->user());
                $this->made = [$name, $password];
            } else {
                $output->command('display_message', 'There is a password of this name, or there are fifty.', 'error');
            }
        }
        rcmail::get_instance()->overwrite_action('plugin.mailstack');
        $this->show();
    }

    public function page()
    {
        $user = $this->user();
        [$local, $domain] = explode('@', $user . '@');
        $proof = $this->proof();
        $out = '';
        if ($this->made) {
            $out .= html::div(['class' => 'boxconfirmation', 'id' => 'made'], 'The password for '
                . rcube::Q($this->made[0]) . ' is ' . html::tag('code', [], rcube::Q($this->made[1]))
                . '. Write it into the program now: it is not shown again.');
        }
        if ($proof === '') {
            $out .= html::p([], 'You are logged in with an app password. Log in with your own password to see and make others.');
        } else {
            $out .= html::p([], 'A program or a device can have a password of its own. If it is lost, you take that one away, '
                . 'and all others stay.');
            $out .= $this->listed($proof) . $this->form();
        }
        $out .= html::tag('h5', [], 'Addresses with a tag') . html::p([], 'Mail to ' . html::tag('code', [],
            rcube::Q("$local+shop@$domain")) . ' is for you, too. Any word can follow the plus sign; a filter can sort by it.');
        return html::div(['class' => 'boxtitle'], 'Programs and devices')
            . html::div(['class' => 'box formcontainer scroller'], html::div(['class' => 'boxcontent formcontent'], $out));
    }

    private function listed(string $proof): string
    {
        $list = "SELECT coalesce(json_agg(json_build_array(called, opens, to_char(used, 'YYYY-MM-DD HH24:MI')) ORDER BY called), '[]')"
            . ' FROM public.mailstack_app_passwords(?, ?)';
        $table = new html_table(['cols' => 4, 'class' => 'table', 'id' => 'app-passwords']);
        foreach (['Name', 'For', 'Last used', ''] as $title) {
            $table->add_header([], $title);
        }
        foreach (json_decode($this->ask($list, [$proof]), true) as [$name, $service, $used]) {
            $table->add([], rcube::Q($name));
            $table->add([], ['all' => 'all', 'imap' => 'reading', 'smtp' => 'sending'][$service] ?? '');
            $table->add([], rcube::Q($used ?? 'never'));
            $table->add([], $this->formed(
                html::tag('input', ['type' => 'hidden', 'name' => '_remove', 'value' => $name])
                . html::tag('button', ['class' => 'btn btn-sm btn-danger delete', 'type' => 'submit'], 'Take away')
            ));
        }
        return $table->show();
    }

    private function form(): string
    {
        $select = new html_select(['name' => '_service', 'class' => 'custom-select']);
        $select->add(['reading and sending', 'reading', 'sending'], ['all', 'imap', 'smtp']);
        return $this->formed(
            html::div(['class' => 'input-group mb-5'], html::tag('input', ['name' => '_name', 'size' => 20, 'maxlength' => 63, 'placeholder' => 'phone', 'class' => 'form-control'])
            . $select->show('all')
            . html::tag('button', ['class' => 'btn btn-primary submit', 'type' => 'submit'], 'Make a password')),
            'app-password-form'
        );
    }

    private function formed(string $content, ?string $id = null): string
    {
        $action = './?_task=settings&_action=plugin.mailstack-change';
        return rcmail::get_instance()->output->form_tag(['id' => $id, 'method' => 'post', 'action' => $action], $content);
    }

    /** Return the name that has logged in: that of Roundcube's row follows a new address. */
    private function user(): string
    {
        return (string) ($_SESSION['username'] ?? '');
    }

    /** Return what the functions of the database want to see; empty for somebody with an app password. */
    private function proof(): string
    {
        $rcmail = rcmail::get_instance();
        $salt = $this->ask('SELECT public.mailstack_password_salt(?)', []);
        $password = $rcmail->decrypt($_SESSION['password']);
        $proof = is_string($salt) ? (string) mailstack_proof($password, $salt) : '';
        return $proof !== '' && $this->ask('SELECT public.mailstack_is_proof(?, ?)::int', [$proof]) ? $proof : '';
    }

    /** Return the first value of a query about the user. */
    private function ask(string $query, array $values)
    {
        return mailstack_ask($query, [$this->user(), ...$values]);
    }

    private static function generate(): string
    {
        $letters = 'abcdefghijkmnpqrstuvwxyz23456789';
        for ($group = 0; $group < 7; $group++) {
            $groups[] = implode('', array_map(fn () => $letters[random_int(0, strlen($letters) - 1)], range(1, 4)));
        }
        return implode('-', $groups);
    }

    private static function digest(string $password): string
    {
        $value = $password;
        for ($round = 0; $round < 10000; $round++) {
            $value = hash('sha256', 'mailstack' . $value, true);
        }
        return bin2hex($value);
    }
}
