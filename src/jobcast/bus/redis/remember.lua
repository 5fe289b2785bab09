-- Fills an entry in, unless a newer seq was announced since it was asked for (or all was lost).
-- KEYS: the job's entry. ARGV: seq, seconds to keep it, body
local floor = string.match(redis.call('GETRANGE', KEYS[1], 0, 20), '^(%d+):')
if not floor or tonumber(floor) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[3], 'EX', ARGV[2])
return 1
