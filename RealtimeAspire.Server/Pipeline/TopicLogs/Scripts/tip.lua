-- A topic that is quiet, but listened to, keeps its epoch.
local life = tonumber(ARGV[1])
if not epoch then
  return {}
end
if life > 0 and redis.call('PTTL', KEYS[1]) < life / 2 then
  redis.pcall('PEXPIRE', KEYS[1], text(life))
end
return { epoch, text(last) }
