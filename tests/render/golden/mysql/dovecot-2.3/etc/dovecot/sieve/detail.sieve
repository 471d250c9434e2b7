# Mail to user+folder goes into that folder, if it is there and the user wants that (`detail_folders`).
require ["envelope", "environment", "fileinto", "mailbox", "subaddress", "variables", "vnd.dovecot.environment"];

if allof (
    environment :is "vnd.dovecot.config.detail_folders" "yes",
    envelope :detail :matches "to" "?*"
) {
    set "folder" "${0}";
    if mailboxexists "${folder}" {
        fileinto "${folder}";
    }
}
# Written by mailstack for Dovecot 2.3; changes made here are undone by the next run.
