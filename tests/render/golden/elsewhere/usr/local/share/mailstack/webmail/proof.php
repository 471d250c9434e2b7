<?php
// Written by mailstack; changes made here are undone by the next run.
// Hashes of passwords. The database gives nobody a stored hash, and changes nothing without it: so a client makes it again,
// of the password and the salt. The service "mailstack" is in pg_service.conf.

/** Return the stored hash that has this salt, if it is one of this password; null for a scheme that PHP can't make. */
function mailstack_proof(string $password, string $salt): ?string
{
    if (preg_match('/^[{](ARGON2ID?)[}][$]argon2id?[$]v=19[$]m=(\d+),t=(\d+),p=1[$]([A-Za-z0-9+\/]+)[$]$/', $salt, $found)) {
        [, $scheme, $memory, $passes, $text] = $found;
        $kind = $scheme == 'ARGON2ID' ? SODIUM_CRYPTO_PWHASH_ALG_ARGON2ID13 : SODIUM_CRYPTO_PWHASH_ALG_ARGON2I13;
        try {
            $digest = sodium_crypto_pwhash(32, $password, base64_decode($text), (int) $passes, 1024 * (int) $memory, $kind);
        } catch (SodiumException) {
            return null;
        }
        return $salt . rtrim(base64_encode($digest), '=');
    }
    if (preg_match('/^[{]PBKDF2[}][$]1[$](.+)[$](\d+)[$]$/', $salt, $found)) {
        return $salt . hash_pbkdf2('sha1', $password, $found[1], (int) $found[2], 40);
    }
    $digests = ['SSHA512' => 'sha512', 'SSHA256' => 'sha256', 'SSHA' => 'sha1', 'SMD5' => 'md5'];
    if (preg_match('/^[{](SSHA512|SSHA256|SSHA|SMD5)[}](.+)$/', $salt, $found)) {
        $text = base64_decode($found[2]);
        return '{' . $found[1] . '}' . base64_encode(hash($digests[$found[1]], $password . $text, true) . $text);
    }
    if (preg_match('/^([{][A-Z0-9-]*CRYPT[}])?([$].+)$/', $salt, $found)) {
        $hash = crypt($password, $found[2]);
        return strlen($hash) > strlen($found[2]) ? $found[1] . $hash : null;
    }
    return null;
}

/**
 * Return the first value that the database answers, if any. Roundcube's own way would put values into the query, and a query
 * that fails into logs.
 */
function mailstack_ask(string $query, array $values)
{
    static $database = null;
    $database ??= new PDO('pgsql:service=mailstack', null, null, [
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::ATTR_TIMEOUT => 5,
    ]);
    $asked = $database->prepare($query);
    $asked->execute($values);
    return $asked->columnCount() > 0 ? $asked->fetchColumn() : null;
}

/** Return the hash of a new password, as the server's other programs make it. */
function mailstack_hash(string $password): string
{
    return '{ARGON2ID}' . sodium_crypto_pwhash_str(
        $password,
        SODIUM_CRYPTO_PWHASH_OPSLIMIT_INTERACTIVE,
        SODIUM_CRYPTO_PWHASH_MEMLIMIT_INTERACTIVE
    );
}
