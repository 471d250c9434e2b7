-- Written by mailstack; changes made here are undone by the next run.
-- Senders that are never taken, and those that are not filtered: addresses, and domains with those below them
local util = require "rspamd_util"

local function set(list)
  local found = {}
  for _, entry in ipairs(list) do
    found[entry] = true
  end
  return found
end

local blocked = set({  })
local allowed = set({  })

-- Return whether a list has this address, its domain or one above that
local function has(list, address)
  address = address:lower()
  local domain = address:match("@([^@]*)$")
  while domain do
    if list[domain] then
      return true
    end
    domain = domain:match("^[^.]+%.(.+)$")
  end
  return list[address] or false
end

local function domain_of(addresses)
  return (addresses and addresses[1] and addresses[1].domain or ""):lower()
end

rspamd_config:register_symbol({
  name = "BLOCKED_SENDER",
  type = "prefilter",
  callback = function(task)
    for _, kind in ipairs({ "smtp", "mime" }) do
      for _, sender in ipairs(task:get_from(kind) or {}) do
        if has(blocked, sender.addr or "") then
          task:set_pre_result("reject", "Mail of this sender is not accepted here", "mailstack")
          return true, 1.0, sender.addr
        end
      end
    end
  end,
})

-- Anybody can write any From. So SPF or DKIM has to pass for its domain, or one of the same organization (RFC 7489, 3.1)
local function proved(task, author)
  local organization = util.get_tld(author)
  local spf = task:has_symbol("R_SPF_ALLOW") and domain_of(task:get_from("smtp"))
  if spf and spf ~= "" and util.get_tld(spf) == organization then
    return true
  end
  for _, symbol in ipairs(task:get_symbol("R_DKIM_ALLOW") or {}) do
    for _, option in ipairs(symbol.options or {}) do
      if util.get_tld(option:match("^[^:]*"):lower()) == organization then
        return true
      end
    end
  end
  return false
end

rspamd_config:register_symbol({
  name = "ALLOWED_SENDER",
  -- more than anything that a filter may hold against it
  score = -1000.0,
  callback = function(task)
    local authors = task:get_from("mime")
    if authors and #authors == 1 and has(allowed, authors[1].addr or "") then
      return proved(task, domain_of(authors)), 1.0, authors[1].addr
    end
  end,
})
for _, check in ipairs({ "SPF_CHECK", "DKIM_CHECK" }) do
  rspamd_config:register_dependency("ALLOWED_SENDER", check)
end
