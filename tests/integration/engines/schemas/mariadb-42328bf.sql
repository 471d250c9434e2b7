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
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_alias_domain_update BEFORE UPDATE ON mail_alias_domain FOR EACH ROW
    SET NEW.alias_domain = LOWER(NEW.alias_domain), NEW.domain_name = LOWER(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_one_meaning_update AFTER UPDATE ON mail_alias_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.alias_domain, TRUE) 
*/;;
DELIMITER ;
CREATE TABLE `mail_domain` (
  `domain_name` varchar(253) NOT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  UNIQUE KEY `mailstack_domain_key` (`domain_name`),
  CONSTRAINT `mailstack_domain_form` CHECK (`domain_name` regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and locate('\n',`domain_name`) = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_domain` (`domain_name`, `active`) VALUES ('example.org',1);
INSERT INTO `mail_domain` (`domain_name`, `active`) VALUES ('off.example',0);
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
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_domain_update BEFORE UPDATE ON mail_domain FOR EACH ROW
    SET NEW.domain_name = LOWER(NEW.domain_name) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_domain_meaning_update AFTER UPDATE ON mail_domain FOR EACH ROW
    CALL mailstack_check_domain(NEW.domain_name, FALSE) 
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
  `email` varchar(254) NOT NULL,
  `password` varchar(1024) NOT NULL,
  `home_directory` varchar(1024) DEFAULT NULL,
  `quota_mb` bigint(20) DEFAULT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `can_send` tinyint(1) NOT NULL DEFAULT 1,
  `can_receive` tinyint(1) NOT NULL DEFAULT 1,
  `domain_name` varchar(253) GENERATED ALWAYS AS (lcase(substring_index(`email`,'@',-1))) STORED,
  UNIQUE KEY `mailstack_users_key` (`email`),
  KEY `mailstack_users_domain` (`domain_name`),
  CONSTRAINT `mailstack_users_domain` FOREIGN KEY (`domain_name`) REFERENCES `mail_domain` (`domain_name`),
  CONSTRAINT `mailstack_users_form` CHECK (`email` = concat(substring_index(`email`,'@',1),'@',substring_index(`email`,'@',-1)) and substring_index(`email`,'@',1) regexp '^(?=.{1,64}$)(?!-)[a-z0-9#$&\'*=?^_{|}~-]+(?:[.][a-z0-9#$&\'*=?^_{|}~-]+)*$' and substring_index(`email`,'@',-1) regexp '^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?[.])+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' and octet_length(`email`) <= 254 and locate('\n',`email`) = 0),
  CONSTRAINT `mailstack_users_password` CHECK (`password` <> ''),
  CONSTRAINT `mailstack_users_quota` CHECK (`quota_mb` >= 0),
  CONSTRAINT `mailstack_users_home` CHECK (`home_directory` regexp '^/' and !(`home_directory` regexp '[[:cntrl:]]|(^|/)[.][.](/|$)'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

SET @was = @@sql_mode, sql_mode = '';
INSERT INTO `mail_users` (`email`, `password`, `home_directory`, `quota_mb`, `active`, `can_send`, `can_receive`, `domain_name`) VALUES ('alice@example.org','{SHA512-CRYPT}$6$x$y',NULL,NULL,1,1,1,'example.org');
INSERT INTO `mail_users` (`email`, `password`, `home_directory`, `quota_mb`, `active`, `can_send`, `can_receive`, `domain_name`) VALUES ('bob@off.example','x',NULL,100,0,0,1,'off.example');
INSERT INTO `mail_users` (`email`, `password`, `home_directory`, `quota_mb`, `active`, `can_send`, `can_receive`, `domain_name`) VALUES ('o\'brien@example.org','{BLF-CRYPT}$2y$05$x','/srv/mail/it\'s here',0,1,1,1,'example.org');
SET sql_mode = @was;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_users_insert BEFORE INSERT ON mail_users FOR EACH ROW
    SET NEW.email = LOWER(NEW.email) 
*/;;
DELIMITER ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER mailstack_users_update BEFORE UPDATE ON mail_users FOR EACH ROW
    SET NEW.email = LOWER(NEW.email) 
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
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_domain.active','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_domain.domain_name','eff1a60b0c9bdc17d0ac03bf9ae965f7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_sender.email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_sender.sender_email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.active','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.can_receive','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.can_send','f05302f76104e26dbe260360ee01b0ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.domain_name','539614b1e1d406965b9e9d39aad4f35f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.email','f0d77c71f65f1b5b470f22bec22167ad');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.home_directory','170a08fa390b24ca0f36e00329bf289b');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.password','403e28c9f36129f38be4824c12e6d5d0');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('column mail_users.quota_mb','2cfa088f005e2088a61386a1492f7e09');
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
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_domain_form on mail_domain','d2fd820e2cb2276c59e37fcf388364c6');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_sender_form on mail_sender','c9ead4e6349fabd1cfcab6d832caf525');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_sender_user on mail_sender','503ebc9c9cec48c3a6523bb56760c99f');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_domain on mail_users','dbb1ae1840bb16d0f1c7844107fd81e6');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_form on mail_users','5a78ed298b24da12768a0fdc176d4474');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_home on mail_users','67bf4d9e6c828a191ac6334edc6fc9c8');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_password on mail_users','09c4b99f27cde851ee7dec7f92afd053');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_users_quota on mail_users','5b01588143f2c005c5ff2b3322d26ed9');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('constraint mailstack_wildcard_form on mail_wildcard','339d509710117a505d33bf3fbfc76f3b');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('function mailstack_in_circle','bfe2e72256230a2e842a3a6da2e557cb');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_destination on mail_alias','b624afc00409e58d942df3a5791e56ce');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_domain on mail_alias','13dfb09810c4a737a0f221f92f3d7922');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_domain_key on mail_alias_domain','77ec0c16966fd4ff293cfd774084cb25');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_domain_target on mail_alias_domain','13dfb09810c4a737a0f221f92f3d7922');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_alias_key on mail_alias','942f5166109d397a22f969337c7f501d');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_domain_key on mail_domain','85cdfe100d239b1f8b02a9044528e14e');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_sender_email on mail_sender','eba8ca4dfc0627c5406610ef7a967808');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_sender_key on mail_sender','8118ec024faf4ef2c624aca9ab934456');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_users_domain on mail_users','13dfb09810c4a737a0f221f92f3d7922');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_users_key on mail_users','9fa961a69f87c86be8640a3d46c31901');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('index mailstack_wildcard_key on mail_wildcard','ac8872424b9160baa35f6f080b7084b6');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('procedure mailstack_check_alias','52a1ada56432b13e9766b10424da68fc');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('procedure mailstack_check_domain','01983b9ec7676c24a6bed2e2ae97fdcf');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_alias','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_alias_domain','750680ca843f539c06d36ccede9a0e40');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('table mail_domain','750680ca843f539c06d36ccede9a0e40');
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
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_circle_insert on mail_alias','bdf5291654e0249e3a1df0a2db81788a');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_circle_update on mail_alias','2dffc060ce79edf79f9e57e8e6122668');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_domain_insert on mail_domain','1400266a2b76ce1271cef4a0e9710377');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_domain_meaning_insert on mail_domain','223c161830a2b42c4c40b5c4ec4d33a2');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_domain_meaning_update on mail_domain','1e61ba1cfd91941db3d8e465937bef27');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_domain_update on mail_domain','78a669c197342fef642492d06d4869d7');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_one_meaning_insert on mail_alias_domain','e8585cf827b5fc0000a80de4568fa138');
INSERT INTO `mailstack_objects` (`name`, `md5`) VALUES ('trigger mailstack_one_meaning_update on mail_alias_domain','1be1510f07fce36881dd5415ce7972ab');
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
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('001_mail.sql','1891015f760d6ff34a3db5e5576a80e53285a474acfd1a58e2b5b3356a790a8f','2026-11-29 07:24:55');
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('002_senders.sql','963e214a63d242541b94c576e0109f5ef2a9fed745e34161746bc2e54cd6cdb3','2026-11-29 07:24:55');
INSERT INTO `mailstack_schema` (`file_name`, `sha256`, `applied_at`) VALUES ('003_aliases.sql','ca35e8d682a61e1efd9646e74bb6997e5c93423d232c8b87ac08eed3463e8072','2026-11-29 07:24:55');
SET sql_mode = @was;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` FUNCTION `mailstack_in_circle`(source VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, destination VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin) RETURNS tinyint(1)
    READS SQL DATA
RETURN source <> destination AND EXISTS (
        WITH RECURSIVE target (address) AS (
            SELECT CAST(destination AS CHAR(254) CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin
            UNION
            SELECT a.destination_email FROM target STRAIGHT_JOIN mail_alias a ON a.source_email = target.address
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

/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
