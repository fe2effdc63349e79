-- What few decisions need; it stands on cells.lua.
local floor, max, min = math.floor, math.max, math.min
local records, changed = {}, {}
book, set = {}, {':head', ''}

local function record_of(which)
  local found = records[which]
  if found == nil then
    local packed = redis.call('HGET', KEYS[1], which)
    found = packed and {struct.unpack(ask[5], packed)} or false
    records[which] = found
  end
  return found
end
book.record = record_of

local function put(which, record)
  records[which], changed[which] = record, true
end
book.put = put

-- Read many records at once.
function book.fetch(ids)
  for first = 1, #ids, 1000 do
    local last = math.min(first + 999, #ids)
    for k, packed in ipairs(redis.call('HMGET', KEYS[1], unpack(ids, first, last))) do
      records[ids[first + k - 1]] = packed and {struct.unpack(ask[5], packed)} or false
    end
  end
end

local function advance(i, base, bucket)
  local last = s[base + $LAST]
  if bucket - last >= $RING then
    s[base + $USED] = 0
  else
    if s[base + $CURRENT] ~= 0 then store(i, last, s[base + $CURRENT]) end
    local from, used = max(last + 1 - $RING, s[base + $FIRST]), s[base + $USED]
    if from <= bucket - $RING then
      for _, count in ipairs(range(i, from, bucket - $RING)) do used = used - count end
    end
    s[base + $USED] = used
  end
  s[base + $LAST], s[base + $CURRENT] = bucket, 0
end

local function limit_of(i)
  local base, limit = $EACH * i, ask[3 * i + $LIMIT]
  return s[base + $UNTIL] > now and min(limit, s[base + $CAP]) or limit
end
book.limit = limit_of

local function freed(i, amount, queue)
  local base, width = $EACH * i, ask[3 * i + $WIDTH]
  local last, step, empty = s[base + $LAST], 8, true
  local from = max(last - $RING + 1, s[base + $FIRST])
  while from < last do
    local to = min(from + step, last) - 1
    for k, count in ipairs(range(i, from, to)) do
      empty = empty and count == 0
      if empty then s[base + $FIRST] = from + k end
      amount = amount - count
      if amount <= 0 then return (from + k - 1 + $RING) * width end
    end
    from, step = to + 1, step * 2
  end
  amount = amount - s[base + $CURRENT]
  if amount <= 0 then return (last + $RING) * width end
  for _, waiting in ipairs(queue()) do
    amount = amount - waiting[4 + i]
    if amount <= 0 then return (floor(waiting[3] / width) + $RING) * width end
  end
  return (last + $RING) * width -- more than the limit: cannot be
end

-- The records of those who wait before `which`, in their order; before nobody: of all.
local function ahead(which)
  local found = {}
  for _, each in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
    if each == which then break end
    found[#found + 1] = record_of(each)
  end
  return found
end

-- When list[first + 1] and so on will be granted, and whether that is known: behind all the queue,
-- or behind those who wait before `which`.
local function due_of(list, first, which)
  local known = which and ahead(which)
  local queue = function()
    known = known or ahead()
    return known
  end
  local count, previous = s[$WAITING], nil
  if known then
    count, previous = #known, known[#known]
  elseif count > 0 then
    previous = record_of(redis.call('LINDEX', KEYS[2], -1))
  end
  local due = max(now, s[$HOLD], s[$BACK], previous and previous[3] or 0)
  if previous and previous[3] <= now then -- and waits still: more was billed than reserved
    local name = redis.call('LINDEX', KEYS[2], 0)
    local head = record_of(name)
    head[3], head[4] = due_of(head, 4, name)
    put(name, head)
    due = max(due, head[3])
  end
  for i = 1, windows do
    local base, limit = $EACH * i, limit_of(i)
    local need = min(list[first + i] + list[first + windows + i], limit) - limit + s[base + $USED]
    if which then
      for _, waiting in ipairs(known) do need = need + waiting[4 + i] end
    else
      need = need + s[base + $QUEUED]
    end
    if need > 0 then due = max(due, freed(i, need, queue)) end
  end
  local over = s[$BUSY] + count - slots
  if slots == 0 or over < 0 then return due, 1 end
  return max(due, now + floor(s[$KEPT] * (over + 1) / slots)), 0
end
book.due = due_of

local function want(record, sign)
  s[$WAITING] = s[$WAITING] + sign
  for i = 1, windows do
    local place = $EACH * i + $QUEUED
    s[place] = s[place] + sign * record[4 + i]
  end
end

function book.enqueue(which, record)
  redis.call('RPUSH', KEYS[2], which)
  touch = touch or s[$WAITING] == 0
  want(record, 1)
  s[$EXPIRY] = min(s[$EXPIRY], record[2])
  put(which, record)
end

local function leave(which, record)
  redis.call('LREM', KEYS[2], 1, which)
  want(record, -1)
  put(which, false)
end
book.leave = leave

-- The server dropped the queue, for lack of memory: who asks again gets a new place.
local function dissolve()
  local all = redis.call('HGETALL', KEYS[1])
  for k = 1, #all, 2 do
    if all[k]:sub(1, 1) ~= ':' and struct.unpack('<d', all[k + 1]) == 0 then put(all[k], false) end
  end
  s[$WAITING] = 0
  for i = 1, windows do s[$EACH * i + $QUEUED] = 0 end
end

function book.pump()
  while s[$WAITING] > 0 do
    local first = redis.call('LINDEX', KEYS[2], 0)
    if not first then return dissolve() end
    local head = record_of(first)
    if not fits(head, 4) then return end
    leave(first, head)
    put(first, grant(head, 4))
    if head[3] > now or head[4] == 0 then -- else it comes by itself
      rung = rung or {}
      rung[#rung + 1], rung[#rung + 2] = head[5 + 2 * windows], first
    end
  end
end

local function bury()
  local all, expiry = redis.call('HGETALL', KEYS[1]), $FOREVER
  for k = 1, #all, 2 do
    local which = all[k]
    if which:sub(1, 1) ~= ':' then
      local record = {struct.unpack(ask[5], all[k + 1])}
      if record[2] > now then
        expiry = min(expiry, record[2])
      elseif record[1] == 0 then
        leave(which, record)
      else
        s[$BUSY] = s[$BUSY] - 1
        put(which, false)
      end
    end
  end
  s[$EXPIRY] = expiry
end

if not current then
  for i = 1, windows do
    local base, bucket = $EACH * i, floor(now / ask[3 * i + $WIDTH])
    if bucket ~= s[base + $LAST] then advance(i, base, bucket) end
  end
  if now >= s[$EXPIRY] then bury() end
end

-- List what has changed.
function book.list()
  for which in pairs(changed) do
    local record = records[which]
    if record then
      set[#set + 1] = which
      set[#set + 1] = struct.pack(ask[5], unpack(record, 1, 5 + 2 * windows))
    else
      gone = gone or {}
      gone[#gone + 1] = which
    end
  end
end
