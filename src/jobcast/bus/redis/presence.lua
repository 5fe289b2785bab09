-- Who is in channels: what instances have stated, as long as their leases last.
-- KEYS: the lease of the instance that speaks
-- ARGV: prefix, the instance ('' for one who only looks), milliseconds of a lease, now, what is as
--       old falls out of the index, then for each channel: topic, 'state', 'check' or 'look',
--       connections, how many users, and with 'state' the users
-- Answers for each channel: whether it stands as it was stated, connections and users over all
-- live instances, newest offset, epoch ('' without a history).
local prefix, instance, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
if instance ~= '' then redis.call('SET', KEYS[1], '1', 'PX', lease) end

local function members(who, topic) return prefix .. 'members:' .. who .. '/' .. topic end

local function index(topic)
  local _, _, scope, name = string.find(topic, '^(.*)/([^/]*)$')
  local key = prefix .. 'index:' .. scope
  redis.call('ZADD', key, ARGV[4], name)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', ARGV[5])
  redis.call('PEXPIRE', key, ARGV[4] - ARGV[5])
end

local function state(room, topic, count, first, last)
  local mine = members(instance, topic)
  redis.call('DEL', mine)
  if count == 0 then
    redis.call('HDEL', room, instance)
    return
  end
  redis.call('HSET', room, instance, count)
  for start = first, last, 1000 do
    redis.call('SADD', mine, unpack(ARGV, start, math.min(start + 999, last)))
  end
end

local function crowd(room, topic)
  local count, sets, buried = 0, {}, false
  local stated = redis.call('HGETALL', room)
  for i = 1, #stated, 2 do
    local who = stated[i]
    if redis.call('EXISTS', prefix .. 'lease:' .. who) == 1 then
      count = count + tonumber(stated[i + 1])
      sets[#sets + 1] = members(who, topic)
    else
      redis.call('HDEL', room, who)
      redis.call('DEL', members(who, topic))
      buried = true
    end
  end
  local users = 0
  if #sets == 1 then
    users = redis.call('SCARD', sets[1])
  elseif #sets > 1 then
    local all = prefix .. 'union:' .. topic
    users = redis.call('SUNIONSTORE', all, unpack(sets))
    redis.call('DEL', all)
  end
  return count, users, buried
end

local answer, at = {}, 6
while at <= #ARGV do
  local topic, verb = ARGV[at], ARGV[at + 1]
  local count, size = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local room, stands = prefix .. 'room:' .. topic, 1
  at = at + 4
  if verb == 'state' then
    state(room, topic, count, at, at + size - 1)
    at = at + size
  elseif verb == 'check' then
    local known = tonumber(redis.call('HGET', room, instance) or 0)
    local mine = redis.call('SCARD', members(instance, topic))
    if known ~= count or mine ~= size then stands = 0 end
  end
  if verb ~= 'look' and count > 0 then
    index(topic)
    -- Longer than a lease, so that only a lease ends who is there.
    redis.call('PEXPIRE', room, lease * 10)
    redis.call('PEXPIRE', members(instance, topic), lease * 10)
  end
  local connections, users, buried = crowd(room, topic)
  if verb == 'state' or buried then
    redis.call('PUBLISH', prefix .. topic, '0:' .. connections .. ' ' .. users)
  end
  local newest = redis.call('HMGET', prefix .. 'meta:' .. topic, 'offset', 'epoch')
  local standing = {stands, connections, users, tonumber(newest[1] or 0), newest[2] or ''}
  answer[#answer + 1] = standing
end
return answer
