-- A job as it was remembered, or false; who asks for one that isn't there will fill it in.
-- KEYS: the job's entry ("seq:body"; without a body only the floor). ARGV: seconds to wait for it
local entry = redis.call('GET', KEYS[1])
if not entry then redis.call('SET', KEYS[1], '0:', 'EX', ARGV[1]) end
return entry
