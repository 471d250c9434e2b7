-- Written by mailstack; changes made here are undone by the next run.
-- How much a user may send in an hour and in a day. The module ratelimit counts no recipients, has no limits for single
-- users, and lets through more and more while a stolen account goes on
local lua_redis = require "lua_redis"
local logger = require "rspamd_logger"
local unpack = table.unpack or unpack

-- 0 is no limit
local limits = {
  "300", "1000", -- in an hour
  "1000", "2000", -- in a day
}

-- In Redis, so that two messages at once can't both be the last one. A period begins with its first message
local script = [[
local own = {}
-- -1 is the limit of all users
for number in string.gmatch(redis.call("HGET", KEYS[3], ARGV[1]) or "", "%S+") do
  own[#own + 1] = number ~= "-1" and number
end
local recipients = tonumber(ARGV[2])
local periods = { { KEYS[1], 3600, "an hour" }, { KEYS[2], 86400, "a day" } }
local over
for number, period in ipairs(periods) do
  for offset, kind in ipairs({ "messages", "recipients" }) do
    local place = 2 * number - 2 + offset
    local limit = tonumber(own[place] or ARGV[3 + place])
    local sent = tonumber(redis.call("HGET", period[1], kind) or 0)
    local more = kind == "messages" and 1 or recipients
    if limit > 0 and sent + more > limit then
      -- with more recipients than the whole limit, it could never be sent
      local seconds = math.max(redis.call("TTL", period[1]), 0)
      over = { limit .. " " .. kind .. " in " .. period[3], tonumber(ARGV[3]) + seconds, more > limit and 1 or 0 }
    end
  end
end

if not over then
  for _, period in ipairs(periods) do
    redis.call("HINCRBY", period[1], "messages", 1)
    redis.call("HINCRBY", period[1], "recipients", recipients)
    if redis.call("TTL", period[1]) < 0 then
      redis.call("EXPIRE", period[1], period[2])
    end
  end
  redis.call("HDEL", KEYS[4], ARGV[1])
  return { "", 0, 0 }
end

local found = over[2] .. " " .. over[1]
redis.call("HSET", KEYS[4], ARGV[1], found)
-- told again only after a day in which nothing was refused
if redis.call("SET", KEYS[5], "", "EX", 86400, "NX") then
  redis.call("RPUSH", KEYS[6], ARGV[1] .. " " .. found)
else
  redis.call("EXPIRE", KEYS[5], 86400)
end
return over
]]

local redis = lua_redis.parse_redis_server("mailstack_limits")
local id = redis and lua_redis.add_redis_script(script, redis)

local function check(task)
  local user = task:get_user()
  if not user or not id then
    return
  end
  user = user:lower()
  local recipients = #(task:get_recipients("smtp") or {})

  local function answered(err, over)
    if err or type(over) ~= "table" then
      -- mail flows
      logger.errx(task, "can't ask Redis for the limits of %s: %s", user, err)
    elseif over[1] ~= "" then
      local never = tonumber(over[3]) == 1
      logger.warnx(task, "%s has reached the limit: %s", user, over[1])
      task:set_pre_result(never and "reject" or "soft reject", "You may send " .. over[1], "user_limits")
    end
  end

  local keys = {
    "mailstack_sent_hour:" .. user, "mailstack_sent_day:" .. user, "mailstack_limits", "mailstack_limited",
    "mailstack_told:" .. user, "mailstack_notices",
  }
  local arguments = { user, tostring(recipients), tostring(os.time()), unpack(limits) }
  local request = { task = task, is_write = true, key = user }
  if not lua_redis.exec_redis_script(id, request, answered, keys, arguments) then
    logger.errx(task, "can't ask Redis for the limits of %s", user)
  end
end

rspamd_config:register_symbol({ name = "USER_LIMIT", type = "prefilter", callback = check })
