SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET client_min_messages = warning;

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

CREATE TABLE public.mail_alias (
    source_email text NOT NULL,
    destination_email text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    domain_name text GENERATED ALWAYS AS (lower(("substring"(source_email, '[^@]*$'::text) COLLATE "C"))) STORED,
    CONSTRAINT mailstack_alias_destination_form CHECK (((destination_email = ((split_part(destination_email, '@'::text, 1) || '@'::text) || split_part(destination_email, '@'::text, 2))) AND (split_part(destination_email, '@'::text, 1) ~ '^(?=.{1,64}$)[a-z0-9!#$%&''*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&''*+/=?^_`{|}~-]+)*$'::text) AND (split_part(destination_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(destination_email) <= 254))),
    CONSTRAINT mailstack_alias_source_form CHECK (((source_email = ((split_part(source_email, '@'::text, 1) || '@'::text) || split_part(source_email, '@'::text, 2))) AND ((source_email ~ '^@'::text) OR (split_part(source_email, '@'::text, 1) ~ '^(?=.{1,64}$)(?!-)[a-z0-9!#$&''*=?^_{|}~-]+(?:[.][a-z0-9!#$&''*=?^_{|}~-]+)*$'::text)) AND (split_part(source_email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(source_email) <= 254)))
);

ALTER TABLE public.mail_alias OWNER TO old_owner;

CREATE TABLE public.mail_domain (
    domain_name text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT mailstack_domain_form CHECK ((domain_name ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text))
);

ALTER TABLE public.mail_domain OWNER TO old_owner;

CREATE TABLE public.mail_users (
    email text NOT NULL,
    password text NOT NULL,
    home_directory text,
    quota_mb bigint,
    active boolean DEFAULT true NOT NULL,
    domain_name text GENERATED ALWAYS AS (lower(("substring"(email, '[^@]*$'::text) COLLATE "C"))) STORED,
    CONSTRAINT mailstack_users_form CHECK (((email = ((split_part(email, '@'::text, 1) || '@'::text) || split_part(email, '@'::text, 2))) AND (split_part(email, '@'::text, 1) ~ '^(?=.{1,64}$)(?!-)[a-z0-9!#$&''*=?^_{|}~-]+(?:[.][a-z0-9!#$&''*=?^_{|}~-]+)*$'::text) AND (split_part(email, '@'::text, 2) ~ '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'::text) AND (length(email) <= 254))),
    CONSTRAINT mailstack_users_home CHECK (((home_directory ~ '^/'::text) AND (home_directory !~ '[[:cntrl:]]|(^|/)[.][.](/|$)'::text))),
    CONSTRAINT mailstack_users_password CHECK ((password <> ''::text)),
    CONSTRAINT mailstack_users_quota CHECK ((quota_mb >= 0))
);

ALTER TABLE public.mail_users OWNER TO old_owner;

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

INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('info@example.org', 'alice@example.org', true);
INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('info@example.org', 'some.one@remote.example', true);
INSERT INTO public.mail_alias (source_email, destination_email, active) VALUES ('@off.example', 'bob@off.example', false);

INSERT INTO public.mail_domain (domain_name, active) VALUES ('example.org', true);
INSERT INTO public.mail_domain (domain_name, active) VALUES ('off.example', false);

INSERT INTO public.mail_users (email, password, home_directory, quota_mb, active) VALUES ('alice@example.org', '{SHA512-CRYPT}$6$x$y', NULL, NULL, true);
INSERT INTO public.mail_users (email, password, home_directory, quota_mb, active) VALUES ('o''brien@example.org', '{BLF-CRYPT}$2y$05$x', '/srv/mail/it''s here', 0, true);
INSERT INTO public.mail_users (email, password, home_directory, quota_mb, active) VALUES ('bob@off.example', 'x', NULL, 100, false);

INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of database', '943b694d1dfa3919728a546cb5419490');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of schema public', '940222962ba52b7b04e92de777c1a872');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_alias', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_domain', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mail_users', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mailstack_objects', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of table mailstack_schema', '4fa38b07bd499ed91609e95e7a041854');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('owner of function mailstack_fold', '88c56fc37a19026d74c02d05fbc1ae34');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant CONNECT on database to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_alias to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_domain to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant SELECT on table mail_users to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('grant USAGE on schema public to old_lookup', '8fa14cdd754f91cc6554c9e71929cce7');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('search_path of database', 'd41d8cd98f00b204e9800998ecf8427e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_alias', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_domain', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mail_users', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mailstack_objects', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('table mailstack_schema', '1dffa0a7cccd065d34a5c65b9cd86a41');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.source_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.destination_email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_alias.domain_name', '164e0b33f1410e0ba4895b58af9b3337');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.domain_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_domain.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.email', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.password', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.home_directory', 'f69493fcf89534cb8252964d523dd7f3');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.quota_mb', 'c56dba3f75b9b2ea0b38baa42ea0b971');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.active', '48a27392db06fd320607a5f3dba02a52');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mail_users.domain_name', 'fa3c32bd888a590144cc987816e9926e');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_objects.name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_objects.md5', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.file_name', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.sha256', '20da0a82b4dba6abd07cab74135e6ddf');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('column mailstack_schema.applied_at', '009a1052615afca4b00a160d28a05bc1');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_destination_form on mail_alias', '79f7138c03dcc02f2516de8b5d03e558');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_domain on mail_alias', '1468d9c48e7fd5ea3d140a42be46f8ef');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_key on mail_alias', '22d45efd4640ca54a55a7e338a4342b3');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_alias_source_form on mail_alias', '85eee01e78c23b3d629d5818d50dafa4');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_domain_form on mail_domain', 'bc69d022630db19080e132872c12993b');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_domain_key on mail_domain', '4c36b34ad5c9c19705391d673a8124c6');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_domain on mail_users', '1468d9c48e7fd5ea3d140a42be46f8ef');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_form on mail_users', '1d713826f96c6785c0e189587d22b86c');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_home on mail_users', 'd66256f4c84224d09b0fc0f77cf64e82');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_key on mail_users', '3ffed38f7ff76adc736bcaa34a088c33');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_password on mail_users', '26ccff2b1b7ee2b869afdd1a919430e4');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_users_quota on mail_users', 'bf3404ef9d598493e2d500b56ee1ec92');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_objects_pkey on mailstack_objects', 'c302dc585e3d60f2f29aa138474141ea');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('constraint mailstack_schema_pkey on mailstack_schema', 'c93f87d9534f1f348801caada9b4aa74');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_users_domain on mail_users', '7d2f9bca75b2ffbeff203f880c4a38e8');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_alias_domain on mail_alias', 'a3b750662104e1f49f77aa163881384f');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('index mailstack_alias_destination on mail_alias', 'f834c83eb1a6e2b4364758071eec8aaa');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_alias', 'e9adfe4fa644319a015729646ebef499');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_domain', '465d34e6ddda00ecb21b3363ae3b4dab');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('trigger mailstack_fold on mail_users', '813c12eb69955b476c89519ff862be75');
INSERT INTO public.mailstack_objects (name, md5) VALUES ('function mailstack_fold', '96a9c6e697e6d9b1a7a6184f5437ca18');

INSERT INTO public.mailstack_schema (file_name, sha256, applied_at) VALUES ('001_mail.sql', '44c7ef4806250852e4180b600420152494e1c87ce27345bad0a9c09fcf8d5feb', '2026-11-29 07:24:47.774115+00');

ALTER TABLE ONLY public.mail_alias
    ADD CONSTRAINT mailstack_alias_key PRIMARY KEY (source_email, destination_email);

ALTER TABLE ONLY public.mail_domain
    ADD CONSTRAINT mailstack_domain_key PRIMARY KEY (domain_name);

ALTER TABLE ONLY public.mailstack_objects
    ADD CONSTRAINT mailstack_objects_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.mailstack_schema
    ADD CONSTRAINT mailstack_schema_pkey PRIMARY KEY (file_name);

ALTER TABLE ONLY public.mail_users
    ADD CONSTRAINT mailstack_users_key PRIMARY KEY (email);

CREATE INDEX mailstack_alias_destination ON public.mail_alias USING btree (destination_email);

CREATE INDEX mailstack_alias_domain ON public.mail_alias USING btree (domain_name);

CREATE INDEX mailstack_users_domain ON public.mail_users USING btree (domain_name);

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_alias FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_domain FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON public.mail_users FOR EACH ROW EXECUTE FUNCTION public.mailstack_fold();

ALTER TABLE ONLY public.mail_alias
    ADD CONSTRAINT mailstack_alias_domain FOREIGN KEY (domain_name) REFERENCES public.mail_domain(domain_name);

ALTER TABLE ONLY public.mail_users
    ADD CONSTRAINT mailstack_users_domain FOREIGN KEY (domain_name) REFERENCES public.mail_domain(domain_name);

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO old_lookup;

REVOKE ALL ON FUNCTION public.mailstack_fold() FROM PUBLIC;

GRANT SELECT ON TABLE public.mail_alias TO old_lookup;

GRANT SELECT ON TABLE public.mail_domain TO old_lookup;

GRANT SELECT ON TABLE public.mail_users TO old_lookup;
