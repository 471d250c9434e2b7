SET check_constraint_checks = 0;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
CREATE TABLE `mail_alias` (
  `source_email` varchar(254) NOT NULL,
  `destination_email` varchar(254) NOT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `domain_name` varchar(253) GENERATED ALWAYS AS (lcase(substring_index(`source_email`,'@',-1))) STORED,
  UNIQUE KEY `mailstack_alias_key` (`source_email`,`destination_email`),
  KEY `mailstack_alias_domain` (`domain_name`),
  KEY `mailstack_alias_destination` (`destination_email`),
  CONSTRAINT `mailstack_alias_domain` FOREIGN KEY (`domain_name`) REFERENCES `mail_domain` (`domain_name`),
  CONSTRAINT `mailstack_alias_source_form` CHECK (`source_email` = concat(substring_index(`source_email`,'@',1),'@',substring_index(`source_email`,'@',-1)) and (`source_email` regexp '^@' or substring_index(`source_email`,'@',1) regexp '^(?=.{1,64}$)(?!-)[a-z0-9#$&\'*=?^_{|}~-]+(?:[.][a-z0-9#$&\'*=?^_{|}~-]+)*$') and substring_index(`source_email`,'@',-1) regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and octet_length(`source_email`) <= 254 and locate('\n',`source_email`) = 0),
  CONSTRAINT `mailstack_alias_destination_form` CHECK (`destination_email` = concat(substring_index(`destination_email`,'@',1),'@',substring_index(`destination_email`,'@',-1)) and substring_index(`destination_email`,'@',1) regexp '^(?=.{1,64}$)[a-z0-9!#$%&\'*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&\'*+/=?^_`{|}~-]+)*$' and substring_index(`destination_email`,'@',-1) regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and octet_length(`destination_email`) <= 254 and locate('\n',`destination_email`) = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_alias` (`source_email`, `destination_email`, `active`, `domain_name`) VALUES ('@off.example','bob@off.example',0,'off.example');
INSERT INTO `mail_alias` (`source_email`, `destination_email`, `active`, `domain_name`) VALUES ('Info@nowhere.example','alice',1,'nowhere.example');
INSERT INTO `mail_alias` (`source_email`, `destination_email`, `active`, `domain_name`) VALUES ('info@example.org','alice@example.org',1,'example.org');
INSERT INTO `mail_alias` (`source_email`, `destination_email`, `active`, `domain_name`) VALUES ('info@example.org','some.one@remote.example',1,'example.org');
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_alias_insert BEFORE INSERT ON mail_alias FOR EACH ROW
    SET NEW.source_email = LOWER(NEW.source_email), NEW.destination_email = LOWER(NEW.destination_email) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_circle_insert AFTER INSERT ON mail_alias FOR EACH ROW
    CALL mailstack_check_alias(NEW.source_email, NEW.destination_email, NEW.active) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_alias_update BEFORE UPDATE ON mail_alias FOR EACH ROW
    SET NEW.source_email = LOWER(NEW.source_email), NEW.destination_email = LOWER(NEW.destination_email) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_circle_update AFTER UPDATE ON mail_alias FOR EACH ROW
    CALL mailstack_check_alias(NEW.source_email, NEW.destination_email, NEW.active) 
*/;;
DELIMITER ;
CREATE TABLE `mail_alias_domain` (
  `alias_domain` varchar(253) NOT NULL,
  `domain_name` varchar(253) NOT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  UNIQUE KEY `mailstack_alias_domain_key` (`alias_domain`),
  KEY `mailstack_alias_domain_target` (`domain_name`),
  CONSTRAINT `mailstack_alias_domain_target` FOREIGN KEY (`domain_name`) REFERENCES `mail_domain` (`domain_name`) ON UPDATE CASCADE,
  CONSTRAINT `mailstack_alias_domain_form` CHECK (`alias_domain` regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and locate('\n',`alias_domain`) = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_alias_domain` (`alias_domain`, `domain_name`, `active`) VALUES ('gone.example','example.org',0);
INSERT INTO `mail_alias_domain` (`alias_domain`, `domain_name`, `active`) VALUES ('other.example','example.org',1);
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_alias_domain_insert BEFORE INSERT ON mail_alias_domain FOR EACH ROW
    SET NEW.alias_domain = LOWER(NEW.alias_domain), NEW.domain_name = LOWER(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_one_meaning_insert AFTER INSERT ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.alias_domain, TRUE) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_class_alias_insert AFTER INSERT ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.alias_domain) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_alias_domain_update BEFORE UPDATE ON mail_alias_domain FOR EACH ROW
    SET NEW.alias_domain = LOWER(NEW.alias_domain), NEW.domain_name = LOWER(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_one_meaning_update AFTER UPDATE ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.alias_domain, TRUE) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_class_alias_update AFTER UPDATE ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.alias_domain) 
*/;;
DELIMITER ;
CREATE TABLE `mail_app_password` (
  `email` varchar(254) NOT NULL,
  `name` varchar(254) NOT NULL,
  `digest` varchar(254) NOT NULL,
  `service` varchar(254) NOT NULL DEFAULT 'all',
  UNIQUE KEY `mailstack_app_password_key` (`email`,`name`),
  UNIQUE KEY `mailstack_app_password_digest` (`email`,`digest`),
  CONSTRAINT `mailstack_app_password_user` FOREIGN KEY (`email`) REFERENCES `mail_users` (`email`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `mailstack_app_password_form` CHECK (`name` regexp '^[a-z0-9][a-z0-9._-]{0,62}$' and `digest` regexp '^[0-9a-f]{64}$' and `service` in ('all','imap','smtp') and locate('\n',concat(`name`,`digest`)) = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_app_password` (`email`, `name`, `digest`, `service`) VALUES ('alice@example.org','phone','0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a','imap');
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_app_password_insert BEFORE INSERT ON mail_app_password FOR EACH ROW
    SET NEW.email = LOWER(NEW.email) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_app_password_update BEFORE UPDATE ON mail_app_password FOR EACH ROW
    SET NEW.email = LOWER(NEW.email) 
*/;;
DELIMITER ;
CREATE TABLE `mail_domain` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `domain_name` varchar(253) NOT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `note` varchar(100) DEFAULT NULL,
  `quota_mb` bigint(20) DEFAULT NULL,
  `quota_messages` bigint(20) DEFAULT NULL,
  `user_quota_mb` bigint(20) DEFAULT NULL,
  `user_quota_messages` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `domain_name` (`domain_name`),
  UNIQUE KEY `mailstack_domain_key` (`domain_name`),
  CONSTRAINT `mailstack_domain_form` CHECK (`domain_name` regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and locate('\n',`domain_name`) = 0),
  CONSTRAINT `mailstack_domain_quota` CHECK (`quota_mb` >= 0 and `quota_messages` >= 0 and `user_quota_mb` >= 0 and `user_quota_messages` >= 0)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_domain` (`id`, `domain_name`, `active`, `note`, `quota_mb`, `quota_messages`, `user_quota_mb`, `user_quota_messages`) VALUES (1,'Old.Example',1,'mine',NULL,NULL,NULL,NULL);
INSERT INTO `mail_domain` (`id`, `domain_name`, `active`, `note`, `quota_mb`, `quota_messages`, `user_quota_mb`, `user_quota_messages`) VALUES (2,'under_score',0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO `mail_domain` (`id`, `domain_name`, `active`, `note`, `quota_mb`, `quota_messages`, `user_quota_mb`, `user_quota_messages`) VALUES (3,'example.org',1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO `mail_domain` (`id`, `domain_name`, `active`, `note`, `quota_mb`, `quota_messages`, `user_quota_mb`, `user_quota_messages`) VALUES (4,'off.example',0,NULL,NULL,NULL,5,NULL);
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_domain_insert BEFORE INSERT ON mail_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_domain_meaning_insert AFTER INSERT ON mail_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.domain_name, FALSE) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_class_domain_insert AFTER INSERT ON mail_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_domain_update BEFORE UPDATE ON mail_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_domain_meaning_update AFTER UPDATE ON mail_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.domain_name, FALSE) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_quota_domain_update AFTER UPDATE ON mail_domain FOR EACH ROW
    CALL mailstack_check_quotas(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_class_domain_update AFTER UPDATE ON mail_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.domain_name) 
*/;;
DELIMITER ;
CREATE TABLE `mail_last_login` (
  `email` varchar(254) NOT NULL,
  `service` varchar(254) NOT NULL,
  `at` datetime NOT NULL,
  UNIQUE KEY `mailstack_last_login_key` (`email`,`service`),
  CONSTRAINT `mailstack_last_login_user` FOREIGN KEY (`email`) REFERENCES `mail_users` (`email`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_last_login` (`email`, `service`, `at`) VALUES ('alice@example.org','imap','2026-11-20 10:00:00');
SET sql_mode = @was;
CREATE TABLE `mail_relay_domain` (
  `domain_name` varchar(253) NOT NULL,
  `any_recipient` tinyint(1) NOT NULL DEFAULT 0,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  UNIQUE KEY `mailstack_relay_domain_key` (`domain_name`),
  CONSTRAINT `mailstack_relay_domain_form` CHECK (`domain_name` regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and locate('\n',`domain_name`) = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_relay_domain` (`domain_name`, `any_recipient`, `active`) VALUES ('any.example',1,0);
INSERT INTO `mail_relay_domain` (`domain_name`, `any_recipient`, `active`) VALUES ('relay.example',0,1);
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_relay_domain_insert BEFORE INSERT ON mail_relay_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_class_relay_insert AFTER INSERT ON mail_relay_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_relay_domain_update BEFORE UPDATE ON mail_relay_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_class_relay_update AFTER UPDATE ON mail_relay_domain FOR EACH ROW
    CALL mailstack_check_class(NEW.domain_name) 
*/;;
DELIMITER ;
CREATE TABLE `mail_relay_recipient` (
  `address` varchar(254) NOT NULL,
  `domain_name` varchar(253) GENERATED ALWAYS AS (lcase(substring_index(`address`,'@',-1))) STORED,
  UNIQUE KEY `mailstack_relay_recipient_key` (`address`),
  KEY `mailstack_relay_recipient_domain` (`domain_name`),
  CONSTRAINT `mailstack_relay_recipient_domain` FOREIGN KEY (`domain_name`) REFERENCES `mail_relay_domain` (`domain_name`) ON DELETE CASCADE,
  CONSTRAINT `mailstack_relay_recipient_form` CHECK (`address` = concat(substring_index(`address`,'@',1),'@',substring_index(`address`,'@',-1)) and substring_index(`address`,'@',1) regexp '^(?=.{1,64}$)[a-z0-9!#$%&\'*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&\'*+/=?^_`{|}~-]+)*$' and octet_length(`address`) <= 254 and locate('\n',`address`) = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_relay_recipient` (`address`, `domain_name`) VALUES ('carol@relay.example','relay.example');
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_relay_recipient_insert BEFORE INSERT ON mail_relay_recipient FOR EACH ROW
    SET NEW.address = LOWER(NEW.address) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_relay_recipient_update BEFORE UPDATE ON mail_relay_recipient FOR EACH ROW
    SET NEW.address = LOWER(NEW.address) 
*/;;
DELIMITER ;
CREATE TABLE `mail_sender` (
  `email` varchar(254) NOT NULL,
  `sender_email` varchar(254) NOT NULL,
  UNIQUE KEY `mailstack_sender_key` (`sender_email`,`email`),
  KEY `mailstack_sender_email` (`email`),
  CONSTRAINT `mailstack_sender_user` FOREIGN KEY (`email`) REFERENCES `mail_users` (`email`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `mailstack_sender_form` CHECK (`sender_email` = concat(substring_index(`sender_email`,'@',1),'@',substring_index(`sender_email`,'@',-1)) and (`sender_email` regexp '^@' or substring_index(`sender_email`,'@',1) regexp '^(?=.{1,64}$)(?!-)[a-z0-9#$&\'*=?^_{|}~-]+(?:[.][a-z0-9#$&\'*=?^_{|}~-]+)*$') and substring_index(`sender_email`,'@',-1) regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and octet_length(`sender_email`) <= 254 and locate('\n',`sender_email`) = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_sender` (`email`, `sender_email`) VALUES ('alice@example.org','@off.example');
INSERT INTO `mail_sender` (`email`, `sender_email`) VALUES ('alice@example.org','boss@example.net');
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_sender_insert BEFORE INSERT ON mail_sender FOR EACH ROW
    SET NEW.email = LOWER(NEW.email), NEW.sender_email = LOWER(NEW.sender_email) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_sender_update BEFORE UPDATE ON mail_sender FOR EACH ROW
    SET NEW.email = LOWER(NEW.email), NEW.sender_email = LOWER(NEW.sender_email) 
*/;;
DELIMITER ;
CREATE TABLE `mail_users` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `email` varchar(254) NOT NULL,
  `password` varchar(1024) NOT NULL,
  `home_directory` varchar(1024) DEFAULT NULL,
  `quota_mb` bigint(20) DEFAULT NULL,
  `note` varchar(100) DEFAULT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `can_send` tinyint(1) NOT NULL DEFAULT 1,
  `can_receive` tinyint(1) NOT NULL DEFAULT 1,
  `detail_folders` tinyint(1) NOT NULL DEFAULT 0,
  `password_origin` varchar(1024) DEFAULT NULL,
  `quota_messages` bigint(20) DEFAULT NULL,
  `domain_name` varchar(253) GENERATED ALWAYS AS (lcase(substring_index(`email`,'@',-1))) STORED,
  PRIMARY KEY (`id`),
  UNIQUE KEY `mailstack_users_key` (`email`),
  KEY `by_note` (`note`),
  KEY `mailstack_users_domain` (`domain_name`),
  CONSTRAINT `mailstack_users_domain` FOREIGN KEY (`domain_name`) REFERENCES `mail_domain` (`domain_name`),
  CONSTRAINT `mailstack_users_form` CHECK (`email` = concat(substring_index(`email`,'@',1),'@',substring_index(`email`,'@',-1)) and substring_index(`email`,'@',1) regexp '^(?=.{1,64}$)(?!-)[a-z0-9#$&\'*=?^_{|}~-]+(?:[.][a-z0-9#$&\'*=?^_{|}~-]+)*$' and substring_index(`email`,'@',-1) regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and octet_length(`email`) <= 254 and locate('\n',`email`) = 0),
  CONSTRAINT `mailstack_users_password` CHECK (`password` <> ''),
  CONSTRAINT `mailstack_users_quota` CHECK (`quota_mb` >= 0),
  CONSTRAINT `mailstack_users_home` CHECK (`home_directory` regexp '^/' and !(`home_directory` regexp '[[:cntrl:]]|(^|/)[.][.](/|$)')),
  CONSTRAINT `mailstack_users_quota_messages` CHECK (`quota_messages` >= 0)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_users` (`id`, `email`, `password`, `home_directory`, `quota_mb`, `note`, `active`, `can_send`, `can_receive`, `detail_folders`, `password_origin`, `quota_messages`, `domain_name`) VALUES (1,'Alice@Old.Example','x','relative/alice',NULL,'hi',1,1,1,0,NULL,NULL,'old.example');
INSERT INTO `mail_users` (`id`, `email`, `password`, `home_directory`, `quota_mb`, `note`, `active`, `can_send`, `can_receive`, `detail_folders`, `password_origin`, `quota_messages`, `domain_name`) VALUES (2,'o\'brien+tag@old.example','',NULL,NULL,NULL,1,1,1,0,NULL,NULL,'old.example');
INSERT INTO `mail_users` (`id`, `email`, `password`, `home_directory`, `quota_mb`, `note`, `active`, `can_send`, `can_receive`, `detail_folders`, `password_origin`, `quota_messages`, `domain_name`) VALUES (3,'orphan@nowhere.example','x',NULL,NULL,NULL,1,1,1,0,NULL,NULL,'nowhere.example');
INSERT INTO `mail_users` (`id`, `email`, `password`, `home_directory`, `quota_mb`, `note`, `active`, `can_send`, `can_receive`, `detail_folders`, `password_origin`, `quota_messages`, `domain_name`) VALUES (4,'alice@example.org','{SHA512-CRYPT}$6$x$y',NULL,NULL,NULL,1,1,1,1,'abc',7,'example.org');
INSERT INTO `mail_users` (`id`, `email`, `password`, `home_directory`, `quota_mb`, `note`, `active`, `can_send`, `can_receive`, `detail_folders`, `password_origin`, `quota_messages`, `domain_name`) VALUES (5,'o\'brien@example.org','{BLF-CRYPT}$2y$05$x','/srv/mail/it\'s here',0,NULL,1,1,1,0,NULL,NULL,'example.org');
INSERT INTO `mail_users` (`id`, `email`, `password`, `home_directory`, `quota_mb`, `note`, `active`, `can_send`, `can_receive`, `detail_folders`, `password_origin`, `quota_messages`, `domain_name`) VALUES (6,'bob@off.example','x',NULL,100,NULL,0,0,1,0,NULL,NULL,'off.example');
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_users_insert BEFORE INSERT ON mail_users FOR EACH ROW
    SET NEW.email = LOWER(NEW.email) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_quota_users_insert AFTER INSERT ON mail_users FOR EACH ROW
    CALL mailstack_check_quotas(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_users_update BEFORE UPDATE ON mail_users FOR EACH ROW
    SET NEW.email = LOWER(NEW.email) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_quota_users_update AFTER UPDATE ON mail_users FOR EACH ROW
    IF NOT (NEW.email = OLD.email AND NEW.quota_mb <=> OLD.quota_mb AND NEW.quota_messages <=> OLD.quota_messages)
    THEN
        CALL mailstack_check_quotas(NEW.domain_name);
    END IF 
*/;;
DELIMITER ;
CREATE TABLE `mail_wildcard` (
  `local_part` varchar(254) NOT NULL,
  `destination_email` varchar(254) NOT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  UNIQUE KEY `mailstack_wildcard_key` (`local_part`,`destination_email`),
  CONSTRAINT `mailstack_wildcard_form` CHECK (`local_part` regexp '^(?=.{1,64}$)(?!-)[a-z0-9#$&\'*=?^_{|}~-]+(?:[.][a-z0-9#$&\'*=?^_{|}~-]+)*$' and locate('\n',`local_part`) = 0 and `destination_email` = concat(substring_index(`destination_email`,'@',1),'@',substring_index(`destination_email`,'@',-1)) and substring_index(`destination_email`,'@',1) regexp '^(?=.{1,64}$)[a-z0-9!#$%&\'*+/=?^_`{|}~-]+(?:[.][a-z0-9!#$%&\'*+/=?^_`{|}~-]+)*$' and substring_index(`destination_email`,'@',-1) regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and octet_length(`destination_email`) <= 254 and locate('\n',`destination_email`) = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_wildcard` (`local_part`, `destination_email`, `active`) VALUES ('abuse','alice@example.org',1);
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_wildcard_insert BEFORE INSERT ON mail_wildcard FOR EACH ROW
    SET NEW.local_part = LOWER(NEW.local_part), NEW.destination_email = LOWER(NEW.destination_email) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_wildcard_update BEFORE UPDATE ON mail_wildcard FOR EACH ROW
    SET NEW.local_part = LOWER(NEW.local_part), NEW.destination_email = LOWER(NEW.destination_email) 
*/;;
DELIMITER ;
CREATE TABLE `mailstack_lock` (
  `name` varchar(16) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mailstack_lock` (`name`) VALUES ('circle');
SET sql_mode = @was;
CREATE TABLE `mailstack_objects` (
  `name` varchar(255) NOT NULL,
  `md5` char(32) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_alias.active','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_alias.destination_email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_alias.domain_name','1d1746bf85919efc2c1559a5dd6eac57');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_alias.source_email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_alias_domain.active','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_alias_domain.alias_domain','eff1a60b0c9bdc17d0ac03bf9ae965f7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_alias_domain.domain_name','eff1a60b0c9bdc17d0ac03bf9ae965f7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_app_password.digest','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_app_password.email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_app_password.name','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_app_password.service','1404b220eea178b1df2554c0f39ea297');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_domain.active','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_domain.domain_name','eff1a60b0c9bdc17d0ac03bf9ae965f7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_domain.quota_mb','2cfa088f005e2088a61386a1492f7e09');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_domain.quota_messages','2cfa088f005e2088a61386a1492f7e09');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_domain.user_quota_mb','2cfa088f005e2088a61386a1492f7e09');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_domain.user_quota_messages','2cfa088f005e2088a61386a1492f7e09');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_last_login.at','3bc256924b34f54ead21c4462d51b110');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_last_login.email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_last_login.service','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_relay_domain.active','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_relay_domain.any_recipient','b3cf76319628a8c6b8f37fa79b5a1804');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_relay_domain.domain_name','eff1a60b0c9bdc17d0ac03bf9ae965f7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_relay_recipient.address','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_relay_recipient.domain_name','676a71348eacb32eb657bef3de1babb7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_sender.email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_sender.sender_email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.active','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.can_receive','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.can_send','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.detail_folders','b3cf76319628a8c6b8f37fa79b5a1804');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.domain_name','539614b1e1d406965b9e9d39aad4f35f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.home_directory','170a08fa390b24ca0f36e00329bf289b');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.password','403e28c9f36129f38be4824c12e6d5d0');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.password_origin','170a08fa390b24ca0f36e00329bf289b');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.quota_mb','2cfa088f005e2088a61386a1492f7e09');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.quota_messages','2cfa088f005e2088a61386a1492f7e09');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_wildcard.active','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_wildcard.destination_email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_wildcard.local_part','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mailstack_lock.name','d025da831dc224d72d6fac15e4939678');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mailstack_objects.md5','d4ba7f1c474f5e5c7b7582550b831599');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mailstack_objects.name','fb4b0ae11a56cc04f58f35afd351e156');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mailstack_schema.applied_at','730f03599a81c8530d8981e80ae57fff');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mailstack_schema.file_name','61f8169f45145caa89a3c9d9c863fe03');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mailstack_schema.sha256','3e3731cfb0f2447ed4ca2e16cc0b532d');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_alias_destination_form on mail_alias','222481661cddb8659f2e1dbaf3d03e54');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_alias_domain on mail_alias','dbb1ae1840bb16d0f1c7844107fd81e6');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_alias_domain_form on mail_alias_domain','4dd9aa16b6c80cc6aa57b9d3f0913554');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_alias_domain_target on mail_alias_domain','c9e6967ee0d18f2cdaf54d7facbafa86');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_alias_source_form on mail_alias','e9bf5bbcfde549f756ec031fea7e0a53');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_app_password_form on mail_app_password','c44a25be004032c0b599fe22cf26161d');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_app_password_user on mail_app_password','503ebc9c9cec48c3a6523bb56760c99f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_domain_form on mail_domain','d2fd820e2cb2276c59e37fcf388364c6');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_domain_quota on mail_domain','dc3ce5c89f340dd31a9d20baee171c82');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_last_login_user on mail_last_login','503ebc9c9cec48c3a6523bb56760c99f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_relay_domain_form on mail_relay_domain','d2fd820e2cb2276c59e37fcf388364c6');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_relay_recipient_domain on mail_relay_recipient','cf7234b7db1036097e220f858e991fb4');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_relay_recipient_form on mail_relay_recipient','7485f62333e6d632c4c54b94144640e4');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_sender_form on mail_sender','c9ead4e6349fabd1cfcab6d832caf525');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_sender_user on mail_sender','503ebc9c9cec48c3a6523bb56760c99f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_domain on mail_users','dbb1ae1840bb16d0f1c7844107fd81e6');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_form on mail_users','5a78ed298b24da12768a0fdc176d4474');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_home on mail_users','67bf4d9e6c828a191ac6334edc6fc9c8');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_password on mail_users','09c4b99f27cde851ee7dec7f92afd053');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_quota on mail_users','5b01588143f2c005c5ff2b3322d26ed9');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_quota_messages on mail_users','6f9790b796555bbe1f81ca4c53ec181f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_wildcard_form on mail_wildcard','339d509710117a505d33bf3fbfc76f3b');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('function mailstack_bare','7da6e7109686a502c9f6c610d8e0fd75');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('function mailstack_in_circle','c2d606e8642cf62d29616768854f07b9');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('function mailstack_record_login','fbe391edb33dc7e901d853072e1be98b');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('function mailstack_upgrade_password','986924e8fe18aaadc375942a5df23286');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_destination on mail_alias','b624afc00409e58d942df3a5791e56ce');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_domain on mail_alias','13dfb09810c4a737a0f221f92f3d7922');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_domain_key on mail_alias_domain','77ec0c16966fd4ff293cfd774084cb25');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_domain_target on mail_alias_domain','13dfb09810c4a737a0f221f92f3d7922');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_key on mail_alias','942f5166109d397a22f969337c7f501d');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_app_password_digest on mail_app_password','40e8721d69d34fa9c5fa8f739039dcc3');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_app_password_key on mail_app_password','2d92fc07d63fb889a2187afd42f7a6a7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_domain_key on mail_domain','85cdfe100d239b1f8b02a9044528e14e');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_last_login_key on mail_last_login','169540f3562502a9b2790af303c34177');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_relay_domain_key on mail_relay_domain','85cdfe100d239b1f8b02a9044528e14e');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_relay_recipient_domain on mail_relay_recipient','13dfb09810c4a737a0f221f92f3d7922');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_relay_recipient_key on mail_relay_recipient','7e709487ac4eb742ca3a1dacaef06fe7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_sender_email on mail_sender','eba8ca4dfc0627c5406610ef7a967808');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_sender_key on mail_sender','8118ec024faf4ef2c624aca9ab934456');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_users_domain on mail_users','13dfb09810c4a737a0f221f92f3d7922');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_users_key on mail_users','9fa961a69f87c86be8640a3d46c31901');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_wildcard_key on mail_wildcard','ac8872424b9160baa35f6f080b7084b6');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('procedure mailstack_check_alias','52a1ada56432b13e9766b10424da68fc');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('procedure mailstack_check_class','c98a32aaaf9d281df897138ae662830f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('procedure mailstack_check_domain','01983b9ec7676c24a6bed2e2ae97fdcf');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('procedure mailstack_check_quotas','b4f997db4f18de0a2e760e21014bcb2d');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_alias','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_alias_domain','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_app_password','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_domain','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_last_login','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_relay_domain','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_relay_recipient','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_sender','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_users','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_wildcard','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mailstack_lock','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mailstack_objects','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mailstack_schema','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_alias_domain_insert on mail_alias_domain','26f9dad756bc7f37fa22b378902976f0');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_alias_domain_update on mail_alias_domain','c6fbce5a8442cbb48f2a593abc3fedd2');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_alias_insert on mail_alias','6637a572c173245451af2c068c64c629');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_alias_update on mail_alias','b004e1e43a8957d42e3de155af99b0be');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_app_password_insert on mail_app_password','bebf768dcb998f42c0672ed49ec93e50');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_app_password_update on mail_app_password','ff23b2a3e73a14216d4596f8d67e7c85');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_circle_insert on mail_alias','bdf5291654e0249e3a1df0a2db81788a');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_circle_update on mail_alias','2dffc060ce79edf79f9e57e8e6122668');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_class_alias_insert on mail_alias_domain','89059f55dbb28a6d5c0a07f86cc9da37');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_class_alias_update on mail_alias_domain','43cbba418fca4dc8188c29118417e0c7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_class_domain_insert on mail_domain','40f3f2469dbfe8bd93d81457947678ba');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_class_domain_update on mail_domain','5e8d31c210c28e19d42a6e2e37ebb408');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_class_relay_insert on mail_relay_domain','40f3f2469dbfe8bd93d81457947678ba');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_class_relay_update on mail_relay_domain','5e8d31c210c28e19d42a6e2e37ebb408');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_domain_insert on mail_domain','1400266a2b76ce1271cef4a0e9710377');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_domain_meaning_insert on mail_domain','223c161830a2b42c4c40b5c4ec4d33a2');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_domain_meaning_update on mail_domain','1e61ba1cfd91941db3d8e465937bef27');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_domain_update on mail_domain','78a669c197342fef642492d06d4869d7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_one_meaning_insert on mail_alias_domain','e8585cf827b5fc0000a80de4568fa138');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_one_meaning_update on mail_alias_domain','1be1510f07fce36881dd5415ce7972ab');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_quota_domain_update on mail_domain','3bfa3d56ef8c6f352265e4942195ab28');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_quota_users_insert on mail_users','370928297cf05e2fe3df61e58b35661f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_quota_users_update on mail_users','ae86f6e1728f34f4c4aef9ee7113d2bb');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_relay_domain_insert on mail_relay_domain','1400266a2b76ce1271cef4a0e9710377');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_relay_domain_update on mail_relay_domain','78a669c197342fef642492d06d4869d7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_relay_recipient_insert on mail_relay_recipient','0819849160fe222098b04d472e087045');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_relay_recipient_update on mail_relay_recipient','1ab1e390ca61b5378f487d263ce2287e');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_sender_insert on mail_sender','e944f9bd4a90dff4b8ddff954db1209d');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_sender_update on mail_sender','50d099e7b1e2cf21286758bd05ba426a');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_users_insert on mail_users','bebf768dcb998f42c0672ed49ec93e50');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_users_update on mail_users','ff23b2a3e73a14216d4596f8d67e7c85');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_wildcard_insert on mail_wildcard','9fa1e8b36f52c9526be41be2e3fa8041');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_wildcard_update on mail_wildcard','b248489406d0474f53c029365c3a37cb');
SET sql_mode = @was;
CREATE TABLE `mailstack_schema` (
  `file_name` varchar(64) NOT NULL,
  `sha256` char(64) NOT NULL,
  `applied_at` timestamp NOT NULL DEFAULT current_timestamp(),
  PRIMARY KEY (`file_name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('001_mail.sql','0a8af712542ec5d012f6d44c265ef0f85d2f644dcf6d95f81cf1ce1f95f234ae','2026-11-29 07:24:57');
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('002_senders.sql','432686c53e42aa5e63f6df1440694100da09f86defb1eea416671093935567a7','2026-11-29 07:24:57');
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('003_aliases.sql','d15690c0985e1822eaad55cf9d1355cdf4de14219a09524fdb813c9350fa0048','2026-11-29 07:24:57');
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('020_logins.sql','77bf8732de517f890318d8a6bfe04569ec8e77a8da33e41867479c506ccab48c','2026-11-29 07:24:57');
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('030_quotas.sql','69102260d33f8b574f5c56c9412dd4af3f2c5d1adabaac27b61e25424587d4a4','2026-11-29 07:24:57');
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('040_relay.sql','c1f637465ee79efdde80c6c82f889b22c8c8b99c0f0681c810266ba260d87561','2026-11-29 07:24:57');
SET sql_mode = @was;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` FUNCTION `mailstack_bare`(address VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin) RETURNS varchar(254) CHARSET utf8mb4 COLLATE utf8mb4_nopad_bin
    NO SQL
    DETERMINISTIC
RETURN CONCAT(SUBSTRING_INDEX(SUBSTRING_INDEX(address, '@', 1), '+', 1), '@', SUBSTRING_INDEX(address, '@', -1))
;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` FUNCTION `mailstack_in_circle`(source VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, destination VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin) RETURNS tinyint(1)
    READS SQL DATA
RETURN source <> destination AND EXISTS (
        WITH RECURSIVE target (address) AS (
            SELECT CAST(mailstack_bare(destination) AS CHAR(254) CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin
            UNION
            SELECT mailstack_bare(a.destination_email)
            FROM target STRAIGHT_JOIN mail_alias a ON a.source_email = target.address
            WHERE a.active
            UNION
            SELECT CONCAT(SUBSTRING_INDEX(target.address, '@', 1), '@', x.domain_name)
            FROM target STRAIGHT_JOIN mail_alias_domain x
                ON x.alias_domain = SUBSTRING_INDEX(target.address, '@', -1)
        )
        SELECT 1 FROM target WHERE address = source
    )
;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` FUNCTION `mailstack_record_login`(login VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, used VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, minutes INT) RETURNS tinyint(1)
    MODIFIES SQL DATA
BEGIN
    DECLARE EXIT HANDLER FOR SQLEXCEPTION RETURN FALSE;
    IF NOT EXISTS (
        SELECT 1 FROM mail_last_login AS l
        WHERE l.email = login AND l.service = used AND l.at > UTC_TIMESTAMP() - INTERVAL minutes MINUTE
    ) THEN
        INSERT INTO mail_last_login (email, service, at) VALUES (login, used, UTC_TIMESTAMP())
            ON DUPLICATE KEY UPDATE at = UTC_TIMESTAMP();
    END IF;
    RETURN FALSE;
END
;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` FUNCTION `mailstack_upgrade_password`(login VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, upgraded VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin) RETURNS tinyint(1)
    MODIFIES SQL DATA
BEGIN
    UPDATE mail_users SET
        password_origin = IF(
            password REGEXP '^([{](ARGON2ID|BLF-CRYPT|SHA512-CRYPT|SHA256-CRYPT|PBKDF2|SSHA512|SSHA256)[}]|[$])',
            SHA2(CONCAT(password, '\n', upgraded), 256), NULL
        ),
        password = upgraded
    WHERE email = login AND password NOT REGEXP '(?i)^[{]ARGON2ID[}]' AND upgraded REGEXP '^[{]ARGON2ID[}]\\$argon2id\\$v=19\\$m=\\d+,t=\\d+,p=\\d+\\$[A-Za-z0-9+/]+\\$[A-Za-z0-9+/]+$';
    RETURN ROW_COUNT() > 0;
END
;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `mailstack_check_alias`(source VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, destination VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, active BOOLEAN)
    READS SQL DATA
BEGIN
    DECLARE held VARCHAR(16);
    DECLARE said TEXT;
    SELECT name INTO held FROM mailstack_lock WHERE name = 'circle' FOR UPDATE;
    IF active AND mailstack_in_circle(source, destination) THEN
        SET said = CONCAT('mailstack_circle: the alias ', source, ' -> ', destination, ' would close a circle');
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
END
;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `mailstack_check_class`(domain VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin)
    READS SQL DATA
BEGIN
    DECLARE held VARCHAR(16);
    DECLARE said TEXT;
    SELECT name INTO held FROM mailstack_lock WHERE name = 'circle' FOR UPDATE;
    IF EXISTS (SELECT 1 FROM mail_relay_domain WHERE domain_name = domain) AND (
        EXISTS (SELECT 1 FROM mail_domain WHERE domain_name = domain)
        OR EXISTS (SELECT 1 FROM mail_alias_domain WHERE alias_domain = domain)
    ) THEN
        SET said = CONCAT('mailstack_one_class: ', domain, ' would be a domain of ours and a relay domain');
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
END
;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `mailstack_check_domain`(domain VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, is_alias BOOLEAN)
    READS SQL DATA
BEGIN
    DECLARE held VARCHAR(16);
    DECLARE said TEXT;
    SELECT name INTO held FROM mailstack_lock WHERE name = 'circle' FOR UPDATE;
    IF EXISTS (SELECT 1 FROM mail_alias_domain WHERE alias_domain = domain)
        AND EXISTS (SELECT 1 FROM mail_domain WHERE domain_name = domain)
    THEN
        SET said = CONCAT('mailstack_one_meaning: ', domain, ' would be a domain and an alias domain');
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
    IF is_alias AND EXISTS (
        SELECT 1 FROM mail_alias a
        WHERE a.active AND SUBSTRING_INDEX(a.destination_email, '@', -1) = domain
            AND mailstack_in_circle(a.source_email, a.destination_email)
    ) THEN
        SET said = CONCAT('mailstack_circle: the alias domain ', domain, ' would close a circle of aliases');
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
END
;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `mailstack_check_quotas`(domain VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin)
    READS SQL DATA
BEGIN
    DECLARE said TEXT;
    IF domain IS NOT NULL AND (
        @mailstack_later OR NOT EXISTS (
            SELECT 1 FROM mail_domain WHERE domain_name = domain AND (quota_mb > 0 OR quota_messages > 0)
        )
    ) THEN
        SET domain = '';
    END IF;
    SELECT IF(
        unlimited,
        CONCAT('the domain ', name, ' has a quota of ', quota, ' ', unit, ', so every user in it needs one'),
        CONCAT(
            'the quotas of the users in ', name, ' add up to ', parts, ' ', unit, ', more than the ', quota,
            ' of the domain'
        )
    ) INTO said
    FROM (
        SELECT d.domain_name AS name, 'MiB' AS unit, d.quota_mb AS quota,
            MAX(COALESCE(u.quota_mb, d.user_quota_mb, 0) = 0) AS unlimited,
            SUM(COALESCE(u.quota_mb, d.user_quota_mb, 0)) AS parts
        FROM mail_domain d JOIN mail_users u ON u.domain_name = d.domain_name
        WHERE d.quota_mb > 0 AND (domain IS NULL OR d.domain_name = domain)
        GROUP BY d.domain_name, d.quota_mb
        UNION ALL
        SELECT d.domain_name, 'messages', d.quota_messages,
            MAX(COALESCE(u.quota_messages, d.user_quota_messages, 0) = 0),
            SUM(COALESCE(u.quota_messages, d.user_quota_messages, 0))
        FROM mail_domain d JOIN mail_users u ON u.domain_name = d.domain_name
        WHERE d.quota_messages > 0 AND (domain IS NULL OR d.domain_name = domain)
        GROUP BY d.domain_name, d.quota_messages
    ) AS resources
    WHERE unlimited OR parts > quota
    LIMIT 1;
    IF said IS NOT NULL THEN
        SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = said;
    END IF;
END
;;
DELIMITER ;

/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
