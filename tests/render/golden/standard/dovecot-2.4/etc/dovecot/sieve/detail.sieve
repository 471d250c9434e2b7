# Mail to user+folder goes into that folder if it exists. This is for users with `detail_folders`.
require ["envelope", "fileinto", "mailbox", "subaddress", "variables"];

if envelope :detail :matches "to" "?*" {
    set "folder" "${0}";
    if mailboxexists "${folder}" {
        fileinto "${folder}";
    }
}
# Written by mailstack for Dovecot 2.4; changes made here are undone by the next run.
