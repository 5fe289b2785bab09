-- What is older than these seqs is forgotten, and can't be filled in any more. Jobs that nobody has
-- asked for have no entry, and get none.
-- KEYS: entries of jobs. ARGV: seconds to keep a floor, then a seq for each job
for place, key in ipairs(KEYS) do
  local floor = string.match(redis.call('GETRANGE', key, 0, 20), '^(%d+):')
  if floor and tonumber(floor) < tonumber(ARGV[place + 1]) then
    redis.call('SET', key, ARGV[place + 1] .. ':', 'EX', ARGV[1])
  end
end
