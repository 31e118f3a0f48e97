local kind, bound, limit, bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local events, age = tonumber(ARGV[5]), tonumber(ARGV[6])
if not epoch then
  return {}
end

-- The stream is cut a little late; what is past its retention is not read all the same.
local floor = last + 1
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if oldest then
  floor = offset_of(oldest)
  if events > 0 then
    floor = math.max(floor, last - events + 1)
  end
  if age > 0 then
    floor = first_since(milliseconds() - age + 1, floor, last)
  end
end

local from, to, backwards = floor, last, false
if kind == 'after' then
  from = math.max(floor, bound + 1)
elseif kind == 'before' then
  to, backwards = math.min(last, bound - 1), true
elseif kind == 'newest' then
  limit, backwards = math.min(limit, bound), true
else
  from = first_since(bound, floor, last)
end

local page, taken, chunk = {}, 0, 16
while limit > 0 and taken < bytes and from <= to do
  local entries
  if backwards then
    entries = redis.call('XREVRANGE', KEYS[2], id_of(to), id_of(from), 'COUNT', math.min(limit, chunk))
  else
    entries = redis.call('XRANGE', KEYS[2], id_of(from), id_of(to), 'COUNT', math.min(limit, chunk))
  end
  if #entries == 0 then
    break
  end

  for _, entry in ipairs(entries) do
    if taken >= bytes then
      break
    end
    local body = entry[2][4]
    page[#page + 1] = text(offset_of(entry))
    page[#page + 1] = entry[2][2]
    page[#page + 1] = body
    page[#page + 1] = entry[2][6] or ''
    taken, limit = taken + #body, limit - 1
  end

  local reached = offset_of(entries[#entries])
  if backwards then
    to = reached - 1
  else
    from = reached + 1
  end
  -- About what still fits: entries beyond it would be copied for nothing.
  chunk = math.max(1, math.min(256, math.ceil((bytes - taken) * #page / 4 / math.max(taken, 1))))
end

return { epoch, text(last), text(floor), page }
