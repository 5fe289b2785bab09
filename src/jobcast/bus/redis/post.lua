-- Numbers, keeps and publishes a message, in one step.
-- KEYS: meta (epoch, offset), entries (offset:at:body), the key of the post (offset:at),
--       the index of its scope's channels (name -> when something happened there last)
-- ARGV: an epoch if there is none, now, what is as old is forgotten, how many are kept,
--       seconds that a silent channel is kept, seconds that a key is kept (0: there is none),
--       name, body, topic
local meta, entries, posted, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch = redis.call('HGET', meta, 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('DEL', entries)
  redis.call('HSET', meta, 'epoch', epoch, 'offset', 0)
end

local old = tonumber(ARGV[3])
while true do
  local first = redis.call('LINDEX', entries, 0)
  if not first then break end
  local _, _, at = string.find(first, '^%d+:(%d+):')
  if tonumber(at) > old then break end
  redis.call('LPOP', entries)
end

local remembered = tonumber(ARGV[6])
if remembered > 0 then
  local before = redis.call('GET', posted)
  if before then
    local _, _, offset, at = string.find(before, '^(%d+):(%d+)$')
    if tonumber(at) > old then return {tonumber(offset), epoch} end
  end
end

local offset = redis.call('HINCRBY', meta, 'offset', 1)
if redis.call('LLEN', entries) >= tonumber(ARGV[4]) then redis.call('LPOP', entries) end
redis.call('RPUSH', entries, offset .. ':' .. ARGV[2] .. ':' .. ARGV[8])
if remembered > 0 then
  redis.call('SET', posted, offset .. ':' .. ARGV[2], 'EX', remembered)
end
redis.call('ZADD', index, ARGV[2], ARGV[7])
redis.call('ZREMRANGEBYSCORE', index, '-inf', old)
for _, name in ipairs({meta, entries, index}) do redis.call('EXPIRE', name, ARGV[5]) end
redis.call('PUBLISH', ARGV[9], offset .. '@' .. epoch .. ':' .. ARGV[8])
return {offset, epoch}
