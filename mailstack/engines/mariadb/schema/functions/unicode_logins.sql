-- Logins with a domain in Unicode: user@bücher.example for user@xn--bcher-kva.example.

DELIMITER //

-- The label in Unicode (RFC 3492, 6.2), or unchanged if it is not an A-label.
CREATE OR REPLACE FUNCTION mailstack_unicode_label(label {domain_type}) RETURNS {text_type} DETERMINISTIC NO SQL
BEGIN
    DECLARE decoded {text_type} DEFAULT '';
    DECLARE rest {text_type} DEFAULT SUBSTRING(label, 5);
    DECLARE code, weight BIGINT DEFAULT 128;
    DECLARE place, earlier, delta BIGINT DEFAULT 0;
    DECLARE bias, k, threshold, digit INT DEFAULT 72;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION RETURN label; -- a number too large, or not a character
    IF label NOT LIKE 'xn--_%' THEN
        RETURN label;
    END IF;
    IF LOCATE('-', rest) > 0 THEN
        SET decoded = LEFT(rest, LENGTH(rest) - LOCATE('-', REVERSE(rest)));
        SET rest = SUBSTRING(rest, LENGTH(decoded) + 2);
    END IF;
    WHILE rest <> '' DO
        SET earlier = place, weight = 1, k = 36;
        one: LOOP
            SET digit = LOCATE(LEFT(rest, 1), 'abcdefghijklmnopqrstuvwxyz0123456789') - 1;
            IF rest = '' OR digit < 0 THEN
                RETURN label;
            END IF;
            SET rest = SUBSTRING(rest, 2), place = place + digit * weight;
            SET threshold = LEAST(GREATEST(k - bias, 1), 26);
            IF digit < threshold THEN
                LEAVE one;
            END IF;
            SET weight = weight * (36 - threshold), k = k + 36;
        END LOOP;
        SET delta = (place - earlier) DIV IF(earlier = 0, 700, 2);
        SET delta = delta + delta DIV (CHAR_LENGTH(decoded) + 1), k = 0;
        WHILE delta > 455 DO
            SET delta = delta DIV 35, k = k + 36;
        END WHILE;
        SET bias = k + 36 * delta DIV (delta + 38);
        SET code = code + place DIV (CHAR_LENGTH(decoded) + 1), place = place MOD (CHAR_LENGTH(decoded) + 1);
        SET decoded = CONCAT(
            LEFT(decoded, place),
            CONVERT(CONVERT(UNHEX(LPAD(HEX(code), 8, '0')) USING utf32) USING utf8mb4),
            SUBSTRING(decoded, place + 1)
        );
        SET place = place + 1;
    END WHILE;
    RETURN decoded;
END //

CREATE OR REPLACE FUNCTION mailstack_unicode_name(name {domain_type}) RETURNS {text_type} DETERMINISTIC NO SQL
BEGIN
    DECLARE own {text_type} DEFAULT mailstack_unicode_label(SUBSTRING_INDEX(name, '.', 1));
    WHILE LOCATE('.', name) > 0 DO
        SET name = SUBSTRING(name, LOCATE('.', name) + 1);
        SET own = CONCAT(own, '.', mailstack_unicode_label(SUBSTRING_INDEX(name, '.', 1)));
    END WHILE;
    RETURN own;
END //

-- The user whose name has this SHA-256, by which Dovecot looks up a name that is not ASCII. Some mail programs begin a
-- name with a capital letter, or add a space at the end. It is declared DETERMINISTIC so that a query calls it once, and
-- not for each user.
CREATE OR REPLACE FUNCTION mailstack_unicode_login(asked {address_type}) RETURNS {address_type}
    DETERMINISTIC READS SQL DATA
RETURN (
    SELECT u.email
    FROM mail_domain d JOIN mail_users u ON u.domain_name = d.domain_name
    JOIN (SELECT 0 AS big UNION ALL SELECT 1) AS first JOIN (SELECT '' AS it UNION ALL SELECT ' ') AS behind
    WHERE d.domain_name REGEXP '(^|[.])xn--' AND asked = SHA2(CONCAT(
        IF(first.big, UPPER(LEFT(u.email, 1)), LEFT(u.email, 1)), SUBSTRING(SUBSTRING_INDEX(u.email, '@', 1), 2),
        '@', mailstack_unicode_name(d.domain_name), behind.it
    ), 256)
    LIMIT 1
) //

DELIMITER ;
