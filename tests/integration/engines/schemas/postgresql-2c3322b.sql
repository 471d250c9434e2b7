SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET client_min_messages = warning;

CREATE FUNCTION public.mailstack_alias_circle() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mailstack_circle'));
    IF NEW.active AND mailstack_in_circle(NEW.source_email, NEW.destination_email) THEN
        RAISE EXCEPTION 'the alias % -> % would close a circle', NEW.source_email, NEW.destination_email
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_circle', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

ALTER FUNCTION public.mailstack_alias_circle() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_fold() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'mail_domain' THEN
            NEW.domain_name := lower(NEW.domain_name COLLATE "C");
        WHEN 'mail_users' THEN
            NEW.email := lower(NEW.email COLLATE "C");
        WHEN 'mail_alias' THEN
            NEW.source_email := lower(NEW.source_email COLLATE "C");
            NEW.destination_email := lower(NEW.destination_email COLLATE "C");
    END CASE;
    RETURN NEW;
END $$;

ALTER FUNCTION public.mailstack_fold() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_fold_aliases() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_TABLE_NAME = 'mail_wildcard' THEN
        NEW.local_part := lower(NEW.local_part COLLATE "C");
        NEW.destination_email := lower(NEW.destination_email COLLATE "C");
    ELSE
        NEW.alias_domain := lower(NEW.alias_domain COLLATE "C");
        NEW.domain_name := lower(NEW.domain_name COLLATE "C");
    END IF;
    RETURN NEW;
END $$;

ALTER FUNCTION public.mailstack_fold_aliases() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_fold_sender() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.email := lower(NEW.email COLLATE "C");
    NEW.sender_email := lower(NEW.sender_email COLLATE "C");
    RETURN NEW;
END $$;

ALTER FUNCTION public.mailstack_fold_sender() OWNER TO old_owner;

CREATE FUNCTION public.mailstack_in_circle(source text, destination text) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    WITH RECURSIVE target (address) AS (
        SELECT destination
        UNION
        SELECT next.address
        FROM target, LATERAL (
            SELECT a.destination_email AS address FROM mail_alias a
            WHERE a.source_email = target.address AND a.active
            UNION ALL
            SELECT split_part(target.address, '@', 1) || '@' || x.domain_name FROM mail_alias_domain x
            WHERE x.alias_domain = split_part(target.address, '@', 2)
        ) AS next
    )
    SELECT source <> destination AND source IN (SELECT address FROM target)
$$;

ALTER FUNCTION public.mailstack_in_circle(source text, destination text) OWNER TO old_owner;

CREATE FUNCTION public.mailstack_one_meaning() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    name text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mailstack_circle'));
    IF EXISTS (SELECT FROM mail_alias_domain WHERE alias_domain = name)
        AND EXISTS (SELECT FROM mail_domain WHERE domain_name = name)
    THEN
        RAISE EXCEPTION '% would be a domain and an alias domain', name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_one_meaning', TABLE = TG_TABLE_NAME;
    END IF;
    IF TG_TABLE_NAME = 'mail_alias_domain' AND EXISTS (
        SELECT FROM mail_alias WHERE active AND split_part(destination_email, '@', 2) = name
            AND mailstack_in_circle(source_email, destination_email)
    ) THEN
        RAISE EXCEPTION 'the alias domain % would close a circle of aliases', name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_circle', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

ALTER FUNCTION public.mailstack_one_meaning() OWNER TO old_owner;

CREATE TABLE public.mail_alias (
    source_email text NOT NULL,
    destination_email text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    domain_name text GENERATED ALWAYS AS (lower(("substring"(source_email, '[^@]*$'::text) COLLATE "C"))) STORED
);

ALTER TABLE public.mail_alias OWNER TO old_owner;

CREATE TABLE public.mail_alias_domain (
    alias_domain text NOT NULL,
    domain_name text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT mailstack_alias_domain_form CHECK ((alias_domain ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text))
);

ALTER TABLE public.mail_alias_domain OWNER TO old_owner;

CREATE TABLE public.mail_domain (
    id integer NOT NULL,
    domain_name text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    note text
);

ALTER TABLE public.mail_domain OWNER TO old_owner;

CREATE SEQUENCE public.mail_domain_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.mail_domain_id_seq OWNER TO old_owner;

ALTER SEQUENCE public.mail_domain_id_seq OWNED BY public.mail_domain.id;

CREATE TABLE public.mail_sender (
    email text NOT NULL,
    sender_email text NOT NULL,
    CONSTRAINT mailstack_sender_form CHECK (((sender_email = ((split_part(sender_email, '@'::text, 1) || '@'::text) || split_part(sender_email, '@'::text, 2))) AND ((sender_email ~ '^@'::text) OR (split_part(sender_email, '@'::text, 1) ~ '^(?=.{1,64}$)(?!-)[a-z0-9#$&''*=?^_{|}~-]+(?:[.][a-z0-9#$&''*=?^_{|}~-]+)*$'::text)) AND (split_part(sender_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(sender_email) <= 254)))
);

ALTER TABLE public.mail_sender OWNER TO old_owner;

CREATE TABLE public.mail_users (
    id integer NOT NULL,
    email text NOT NULL,
    password text NOT NULL,
    home_directory text,
    quota_mb bigint,
    note text,
    active boolean DEFAULT true NOT NULL,
    domain_name text GENERATED ALWAYS AS (lower(("substring"(email, '[^@]*$'::text) COLLATE "C"))) STORED,
    can_send boolean DEFAULT true NOT NULL,
    can_receive boolean DEFAULT true NOT NULL,
    CONSTRAINT mailstack_users_quota CHECK ((quota_mb >= 0))
);

ALTER TABLE public.mail_users OWNER TO old_owner;

CREATE SEQUENCE public.mail_users_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.mail_users_id_seq OWNER TO old_owner;

ALTER SEQUENCE public.mail_users_id_seq OWNED BY public.mail_users.id;

CREATE TABLE public.mail_wildcard (
    local_part text NOT NULL,
    destination_email text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT mailstack_wildcard_form CHECK (((local_part ~ '^(?=.{1,64}$)(?!-)[a-z0-9#$&''*=?^_{|}~-]+(?:[.][a-z0-9#$&''*=?^_{|}~-]+)*$'::text) AND (destination_email = ((split_part(destination_email, '@'::text, 1) || '@'::text) || split_part(destination_email, '@'::text, 2))) AND (split_part(destination_email, '@'::text, 1) ~ '^(?=.{1,64}$)[a-z0-9!#$%&''*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&''*+/=?^_`{|}~-]+)*$'::text) AND (split_part(destination_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(destination_email) <= 254)))
);

ALTER TABLE public.mail_wildcard OWNER TO old_owner;

CREATE TABLE public.mailstack_objects (
    name text NOT NULL,
    md5 text NOT NULL
);

ALTER TABLE public.mailstack_objects OWNER TO old_owner;

CREATE TABLE public.mailstack_schema (
    file_name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.mailstack_schema OWNER TO old_owner;

ALTER TABLE ONLY public.mail_domain ALTER COLUMN id SET DEFAULT nextval('public.mail_domain_id_seq'::regclass);

ALTER TABLE ONLY public.mail_users ALTER COLUMN id SET DEFAULT nextval('public.mail_users_id_seq'::regclass);

INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('Info@nowhere.example', 'alice', true);
INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('info@example.org', 'alice@example.org', true);
INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('info@example.org', 'some.one@remote.example', true);
INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('@off.example', 'bob@off.example', false);

INSERT INTO public.mail_alias_domain (alias_domain, domain_name, active) VALUES ('other.example', 'example.org', true);
INSERT INTO public.mail_alias_domain (alias_domain, domain_name, active) VALUES ('gone.example', 'example.org', false);

INSERT INTO public.mail_domain (id, domain_name, active, note) VALUES (1, 'Old.Example', true, 'mine');
INSERT INTO public.mail_domain (id, domain_name, active, note) VALUES (2, 'under_score', false, NULL);
INSERT INTO public.mail_domain (id, domain_name, active, note) VALUES (3, 'example.org', true, NULL);
INSERT INTO public.mail_domain (id, domain_name, active, note) VALUES (4, 'off.example', false, NULL);

INSERT INTO public.mail_sender (email, sender_email) VALUES ('alice@example.org', '@off.example');
INSERT INTO public.mail_sender (email, sender_email) VALUES ('alice@example.org', 'boss@example.net');

INSERT INTO public.mail_users (id, email, password, home_directory, quota_mb, note, active, can_send, can_receive) VALUES (1, 'Alice@Old.Example', 'x', 'relative/alice', NULL, 'hi', true, true, true);
INSERT INTO public.mail_users (id, email, password, home_directory, quota_mb, note, active, can_send, can_receive) VALUES (2, 'o''brien+tag@old.example', '', NULL, NULL, NULL, true, true, true);
INSERT INTO public.mail_users (id, email, password, home_directory, quota_mb, note, active, can_send, can_receive) VALUES (3, 'orphan@nowhere.example', 'x', NULL, NULL, NULL, true, true, true);
INSERT INTO public.mail_users (id, email, password, home_directory, quota_mb, note, active, can_send, can_receive) VALUES (4, 'alice@example.org', '{SHA512-CRYPT}$6$x$y', NULL, NULL, NULL, true, true, true);
INSERT INTO public.mail_users (id, email, password, home_directory, quota_mb, note, active, can_send, can_receive) VALUES (5, 'o''brien@example.org', '{BLF-CRYPT}$2y$05$x', '/srv/mail/it''s here', 0, NULL, true, true, true);
INSERT INTO public.mail_users (id, email, password, home_directory, quota_mb, note, active, can_send, can_receive) VALUES (6, 'bob@off.example', 'x', NULL, 100, NULL, false, false, true);

INSERT INTO public.mail_wildcard (local_part, destination_email, active) VALUES ('abuse', 'alice@example.org', true);

INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of database', '943b694d1dfa3919728a546cb5419490');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of schema public', '940222962ba52b7b04e92de777c1a872');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_alias', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_alias_domain', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_domain', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_sender', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_users', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_wildcard', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mailstack_objects', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mailstack_schema', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_alias_circle', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold_aliases', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold_sender', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_in_circle', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_one_meaning', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant CONNECT on database to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_alias to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_alias_domain to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_domain to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_sender to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_users to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_wildcard to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant USAGE on schema public to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('search_path of database', 'd41d8cd98f00b204e9800998ecf8427e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_alias', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_alias_domain', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_domain', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_sender', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_users', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_wildcard', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mailstack_objects', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mailstack_schema', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.source_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.destination_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.domain_name', '164e0b33f1410e0ba4895b58af9b3337');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias_domain.alias_domain', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias_domain.domain_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias_domain.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.domain_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_sender.email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_sender.sender_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.password', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.home_directory', 'f69493fcf89534cb8252964d523dd7f3');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.quota_mb', 'c56dba3f75b9b2ea0b38baa42ea0b971');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.domain_name', 'fa3c32bd888a590144cc987816e9926e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.can_send', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.can_receive', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_wildcard.local_part', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_wildcard.destination_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_wildcard.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_objects.name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_objects.md5', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.file_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.sha256', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.applied_at', '009a1052615afca4b00a160d28a05bc1');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_destination_form on mail_alias', '12ab364cad63510cb1db03e92053ac81');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain on mail_alias', 'e5967ba32da71f1a61c408e711e7da71');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_key on mail_alias', '22d45efd4640ca54a55a7e338a4342b3');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_source_form on mail_alias', '7e7a8ae237af593ca3da78d9fde3b3ac');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain_form on mail_alias_domain', 'b4d95fe2d27832ccf702f7fea505be3e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain_key on mail_alias_domain', 'd0b82e4b15cb0c500b42bd4fdcb24560');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain_target on mail_alias_domain', '003bf7d90aaf34f3c23cc58a2bd1d005');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_domain_form on mail_domain', '215f9d71e5bee2503594d1e8a2ed6cb2');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_domain_key on mail_domain', '65436df91907dee1905719e50d1b6b23');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_sender_form on mail_sender', '538d03c149839266565e17c131f5ac72');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_sender_key on mail_sender', '12fef74c15a95e2f455f5c6929387574');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_sender_user on mail_sender', 'deb1d3ac7ebe13ec5ebedabe1fc11ecb');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_domain on mail_users', 'e5967ba32da71f1a61c408e711e7da71');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_form on mail_users', '1712fe048e090aaa62f7825f3228d08f');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_home on mail_users', '1c9ce5d2ec7a3386e3c8662ee62a5ce0');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_key on mail_users', 'cb128631a72269d9e93b234b2814eb06');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_password on mail_users', '50019fb14fb0da202101d027828bd2c2');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_quota on mail_users', 'bf3404ef9d598493e2d500b56ee1ec92');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_wildcard_form on mail_wildcard', 'c6999e2cfba522ce3b29df28fbb34cbe');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_wildcard_key on mail_wildcard', 'a0986c9cffba90dbdb8a3fdde61831e8');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_objects_pkey on mailstack_objects', 'c302dc585e3d60f2f29aa138474141ea');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_schema_pkey on mailstack_schema', 'c93f87d9534f1f348801caada9b4aa74');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_users_domain on mail_users', '7d2f9bca75b2ffbeff203f880c4a38e8');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_alias_domain on mail_alias', 'a3b750662104e1f49f77aa163881384f');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_alias_destination on mail_alias', 'f834c83eb1a6e2b4364758071eec8aaa');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_sender_email on mail_sender', '1d72cdfd34130960a2543a7b79ee12d8');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_alias_domain_target on mail_alias_domain', 'fa4f65727a86c4c0848dc0f2faa9f7b2');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_alias', 'e9adfe4fa644319a015729646ebef499');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_circle on mail_alias', '2c3258ea8175df52abf91f5e1bdb4ade');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_alias_domain', '1ee6d92d0e269c3bcf123616419eb5fc');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_one_meaning on mail_alias_domain', 'e0449e9689c392ba5ee4496944889c0d');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_domain', '465d34e6ddda00ecb21b3363ae3b4dab');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_one_meaning on mail_domain', '2ca1ecfe0240d80c488e13e80ce73c11');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_sender', 'dccacc1785fd62a7a2bea3eef3254aa2');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_users', '813c12eb69955b476c89519ff862be75');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_wildcard', 'e0a2cba9d0af2b343123b12d45ef523e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_alias_circle', 'a268257e765e07fa25ad914d1884555a');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold', '96a9c6e697e6d9b1a7a6184f5437ca18');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold_aliases', '7f57650bb26e75deaa63dbb33848234a');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold_sender', 'cc7299bf4bffac2cf8adab53fcebc12b');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_in_circle', 'e9333f46a01e0119f46d6ff5202b48ff');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_one_meaning', '07dfbfb40b4ab6a16bd7181196253980');

INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('001_mail.sql', '19f0ff58c3b58339277ccbbfbd49508c03639020a3885690a60c00cf386adaf2', '2026-11-29 07:24:49.377824+00');
INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('002_senders.sql', 'b8ad44f9ce5d27b5c0b8f78d32516963c386da9394fe0b6171c3d2be5c89d29d', '2026-11-29 07:24:49.377824+00');
INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('003_aliases.sql', 'c73b9d8c89043d3c8ab70eb7f805e06f9fc9f1e12f3d4b688ecb64badb71c3b9', '2026-11-29 07:24:49.377824+00');

SELECT pg_catalog.setval('public.mail_domain_id_seq', 4, true);

SELECT pg_catalog.setval('public.mail_users_id_seq', 6, true);

ALTER TABLE ONLY public.mail_domain
    ADD CONSTRAINT mail_domain_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.mail_users
    ADD CONSTRAINT mail_users_pkey PRIMARY KEY (id);

ALTER TABLE public.mail_alias
    ADD CONSTRAINT mailstack_alias_destination_form CHECK (((destination_email = ((split_part(destination_email, '@'::text, 1) || '@'::text) || split_part(destination_email, '@'::text, 2))) AND (split_part(destination_email, '@'::text, 1) ~ '^(?=.{1,64}$)[a-z0-9!#$%&''*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&''*+/=?^_`{|}~-]+)*$'::text) AND (split_part(destination_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(destination_email) <= 254))) NOT VALID;

ALTER TABLE ONLY public.mail_alias_domain
    ADD CONSTRAINT mailstack_alias_domain_key PRIMARY KEY (alias_domain);

ALTER TABLE ONLY public.mail_alias
    ADD CONSTRAINT mailstack_alias_key PRIMARY KEY (source_email, destination_email);

ALTER TABLE public.mail_alias
    ADD CONSTRAINT mailstack_alias_source_form CHECK (((source_email = ((split_part(source_email, '@'::text, 1) || '@'::text) || split_part(source_email, '@'::text, 2))) AND ((source_email ~ '^@'::text) OR (split_part(source_email, '@'::text, 1) ~ '^(?=.{1,64}$)(?!-)[a-z0-9#$&''*=?^_{|}~-]+(?:[.][a-z0-9#$&''*=?^_{|}~-]+)*$'::text)) AND (split_part(source_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(source_email) <= 254))) NOT VALID;

ALTER TABLE public.mail_domain
    ADD CONSTRAINT mailstack_domain_form CHECK ((domain_name ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text)) NOT VALID;

ALTER TABLE ONLY public.mail_domain
    ADD CONSTRAINT mailstack_domain_key UNIQUE (domain_name);

ALTER TABLE ONLY public.mailstack_objects
    ADD CONSTRAINT mailstack_objects_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.mailstack_schema
    ADD CONSTRAINT mailstack_schema_pkey PRIMARY KEY (file_name);

ALTER TABLE ONLY public.mail_sender
    ADD CONSTRAINT mailstack_sender_key UNIQUE (sender_email, email);

ALTER TABLE public.mail_users
    ADD CONSTRAINT mailstack_users_form CHECK (((email = ((split_part(email, '@'::text, 1) || '@'::text) || split_part(email, '@'::text, 2))) AND (split_part(email, '@'::text, 1) ~ '^(?=.{1,64}$)(?!-)[a-z0-9#$&''*=?^_{|}~-]+(?:[.][a-z0-9#$&''*=?^_{|}~-]+)*$'::text) AND (split_part(email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(email) <= 254))) NOT VALID;

ALTER TABLE public.mail_users
    ADD CONSTRAINT mailstack_users_home CHECK (((home_directory ~ '^/'::text) AND (home_directory !~ '[[:cntrl:]]|(^|/)[.][.](/|$)'::text))) NOT VALID;

ALTER TABLE ONLY public.mail_users
    ADD CONSTRAINT mailstack_users_key UNIQUE (email);

ALTER TABLE public.mail_users
    ADD CONSTRAINT mailstack_users_password CHECK ((password <> ''::text)) NOT VALID;

ALTER TABLE ONLY public.mail_wildcard
    ADD CONSTRAINT mailstack_wildcard_key PRIMARY KEY (local_part, destination_email);

CREATE INDEX by_note ON public.mail_users USING btree (note);

CREATE INDEX mailstack_alias_destination ON public.mail_alias USING btree (destination_email);

CREATE INDEX mailstack_alias_domain ON public.mail_alias USING btree (domain_name);

CREATE INDEX mailstack_alias_domain_target ON public.mail_alias_domain USING btree (domain_name);

CREATE INDEX mailstack_sender_email ON public.mail_sender USING btree (email);

CREATE INDEX mailstack_users_domain ON public.mail_users USING btree (domain_name);

CREATE TRIGGER mailstack_circle AFTER INSERT OR UPDATE ON public.mail_alias FOR EACH ROW EXECUTE FUNCTION public.mailstack_alias_circle();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_alias FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_alias_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_aliases();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_sender FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_sender();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_users FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_wildcard FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold_aliases();

CREATE TRIGGER mailstack_one_meaning AFTER INSERT OR UPDATE ON public.mail_alias_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_one_meaning('alias_domain');

CREATE TRIGGER mailstack_one_meaning AFTER INSERT OR UPDATE ON public.mail_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_one_meaning('domain_name');

ALTER TABLE ONLY public.mail_alias
    ADD CONSTRAINT mailstack_alias_domain FOREIGN KEY (domain_name) REFERENCES public.mail_domain(domain_name) NOT VALID;

ALTER TABLE ONLY public.mail_alias_domain
    ADD CONSTRAINT mailstack_alias_domain_target FOREIGN KEY (domain_name) REFERENCES public.mail_domain(domain_name) ON UPDATE CASCADE;

ALTER TABLE ONLY public.mail_sender
    ADD CONSTRAINT mailstack_sender_user FOREIGN KEY (email) REFERENCES public.mail_users(email) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE ONLY public.mail_users
    ADD CONSTRAINT mailstack_users_domain FOREIGN KEY (domain_name) REFERENCES public.mail_domain(domain_name) NOT VALID;

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO old_lookup;

REVOKE ALL ON FUNCTION public.mailstack_alias_circle() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_fold() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_fold_aliases() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_fold_sender() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_in_circle(source text, destination text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.mailstack_one_meaning() FROM PUBLIC;

GRANT SELECT ON TABLE public.mail_alias TO old_lookup;

GRANT SELECT ON TABLE public.mail_alias_domain TO old_lookup;

GRANT SELECT ON TABLE public.mail_domain TO old_lookup;

GRANT SELECT ON TABLE public.mail_sender TO old_lookup;

GRANT SELECT ON TABLE public.mail_users TO old_lookup;

GRANT SELECT ON TABLE public.mail_wildcard TO old_lookup;
