*:*:*:*:@mailstack-secret:db-upgrade-password:pgpass@
