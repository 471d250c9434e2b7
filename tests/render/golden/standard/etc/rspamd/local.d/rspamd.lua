-- Written by mailstack; changes made here are undone by the next run. Yours go into ../rspamd.local.lua.
local directory = rspamd_paths["LOCAL_CONFDIR"] .. "/mailstack/"
dofile(directory .. "user-limits.lua")
dofile(directory .. "senders.lua")
