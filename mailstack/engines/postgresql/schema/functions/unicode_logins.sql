-- Logins with a domain in Unicode: user@bücher.example for user@xn--bcher-kva.example.

-- The label in Unicode (RFC 3492, 6.2), or unchanged if it is not an A-label.
CREATE FUNCTION mailstack_unicode_label(label text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $label$
DECLARE
    coded text := substr(label, 5);
    basic integer := greatest(length(coded) - strpos(reverse(coded), '-'), 0);
    decoded text := CASE WHEN strpos(coded, '-') > 0 THEN left(coded, basic) ELSE '' END;
    rest text := CASE WHEN strpos(coded, '-') > 0 THEN substr(coded, basic + 2) ELSE coded END;
    code integer := 128;
    place integer := 0;
    bias integer := 72;
    before integer;
    weight integer;
    threshold integer;
    delta integer;
    digit integer;
    k integer;
BEGIN
    IF label !~ '^xn--.' THEN
        RETURN label;
    END IF;
    WHILE rest <> '' LOOP
        before := place;
        weight := 1;
        k := 36;
        LOOP
            digit := strpos('abcdefghijklmnopqrstuvwxyz0123456789', left(rest, 1)) - 1;
            IF rest = '' OR digit < 0 THEN
                RETURN label;
            END IF;
            rest := substr(rest, 2);
            place := place + digit * weight;
            threshold := least(greatest(k - bias, 1), 26);
            EXIT WHEN digit < threshold;
            weight := weight * (36 - threshold);
            k := k + 36;
        END LOOP;
        delta := (place - before) / CASE WHEN before = 0 THEN 700 ELSE 2 END;
        delta := delta + delta / (length(decoded) + 1);
        k := 0;
        WHILE delta > 455 LOOP
            delta := delta / 35;
            k := k + 36;
        END LOOP;
        bias := k + 36 * delta / (delta + 38);
        code := code + place / (length(decoded) + 1);
        place := place % (length(decoded) + 1);
        decoded := left(decoded, place) || chr(code) || substr(decoded, place + 1);
        place := place + 1;
    END LOOP;
    RETURN decoded;
EXCEPTION WHEN OTHERS THEN
    RETURN label; -- a number too large, or not a character
END $label$;

-- The user whose name has this SHA-256, by which Dovecot looks up a name that is not ASCII. Some mail programs begin a
-- name with a capital letter, or add a space at the end.
CREATE FUNCTION mailstack_unicode_login(digest text) RETURNS text LANGUAGE sql STABLE AS $login$
    SELECT u.email
    FROM mail_domain d
    CROSS JOIN LATERAL (
        SELECT string_agg(mailstack_unicode_label(label), '.' ORDER BY position) AS name
        FROM unnest(string_to_array(d.domain_name, '.')) WITH ORDINALITY AS labels (label, position)
    ) AS own
    JOIN mail_users u ON u.domain_name = d.domain_name
    CROSS JOIN LATERAL (
        SELECT split_part(u.email, '@', 1) UNION ALL SELECT upper(left(u.email, 1)) || substr(split_part(u.email, '@', 1), 2)
    ) AS typed (local)
    CROSS JOIN (VALUES (''), (' ')) AS behind (it)
    WHERE d.domain_name ~ '(^|[.])xn--'
        AND encode(sha256(convert_to(typed.local || '@' || own.name || behind.it, 'UTF8')), 'hex') = digest
    LIMIT 1
$login$;
REVOKE ALL ON FUNCTION mailstack_unicode_label(text), mailstack_unicode_login(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mailstack_unicode_label(text), mailstack_unicode_login(text) TO {lookup};
