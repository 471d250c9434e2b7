#!/bin/sh
# Whether nft understands the rules staged in $stage.
nft -c -f "${stage:?}$1"
