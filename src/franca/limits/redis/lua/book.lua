-- What few decisions need: a closure in a closure, for to make one costs as much as to count.
local function opened()
  local book, counts = {}, {}

  local function read_record(which)
    local found = records[which]
    if found == nil then
      local packed = redis.call('HGET', KEYS[1], 'l' .. which)
      found = packed and cmsgpack.unpack(packed) or false
      records[which] = found
    end
    return found
  end

  -- The counts of these buckets, all before the window's last.
  local function range(i, from, to)
    local names, found = {}, {}
    for bucket = from, to do names[#names + 1] = i .. ':' .. bucket % RING end
    local packed = redis.call('HMGET', KEYS[1], unpack(names))
    for k, name in ipairs(names) do
      local pair = counts[name]
      if not pair and packed[k] then pair = {struct.unpack('<dd', packed[k])} end
      found[k] = pair and pair[1] == from + k - 1 and pair[2] or 0
    end
    return found
  end

  local function store(i, bucket, count)
    local name = i .. ':' .. bucket % RING
    counts[name], fields[name] = {bucket, count}, struct.pack('<dd', bucket, count)
  end

  local function advance(i, base, bucket)
    local last = s[base + LAST]
    if bucket - last >= RING then
      s[base + USED] = 0
    else
      if s[base + CURRENT] ~= 0 then store(i, last, s[base + CURRENT]) end
      local from, used = max(last + 1 - RING, s[base + FIRST]), s[base + USED]
      if from <= bucket - RING then
        for _, count in ipairs(range(i, from, bucket - RING)) do used = used - count end
      end
      s[base + USED] = used
    end
    s[base + LAST], s[base + CURRENT] = bucket, 0
  end

  function book.add(i, amount, at)
    local base = EACH * i
    local bucket, last = floor(at / rules[3 * i + 4]), s[base + LAST]
    if last - bucket >= RING then return end
    s[base + USED] = s[base + USED] + amount
    if bucket == last then
      s[base + CURRENT] = s[base + CURRENT] + amount
    else
      store(i, bucket, range(i, bucket, bucket)[1] + amount)
      s[base + FIRST] = min(s[base + FIRST], bucket)
    end
  end

  local function limit_of(i)
    local base, limit = EACH * i, rules[3 * i + 2]
    return s[base + UNTIL] > now and min(limit, s[base + CAP]) or limit
  end
  book.limit = limit_of

  local function freed(i, amount, queue)
    local base, width = EACH * i, rules[3 * i + 4]
    local last, step, empty = s[base + LAST], 8, true
    local from = max(last - RING + 1, s[base + FIRST])
    while from < last do
      local to = min(from + step, last) - 1
      for k, count in ipairs(range(i, from, to)) do
        empty = empty and count == 0
        if empty then s[base + FIRST] = from + k end
        amount = amount - count
        if amount <= 0 then return (from + k - 1 + RING) * width end
      end
      from, step = to + 1, step * 2
    end
    amount = amount - s[base + CURRENT]
    if amount <= 0 then return (last + RING) * width end
    for _, waiting in ipairs(queue()) do
      amount = amount - waiting[5][i]
      if amount <= 0 then return (floor(waiting[3] / width) + RING) * width end
    end
    return (last + RING) * width -- more than the limit: cannot be
  end

  -- Those who wait before `which`, in their order; before nobody: all.
  local function ahead(which)
    local found = {}
    for _, each in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
      if each == which then break end
      found[#found + 1] = each
    end
    for k = 1, #found do found[k] = read_record(found[k]) end
    return found
  end

  function book.due(amounts, margins, which)
    local known = which and ahead(which)
    local queue = function() known = known or ahead(); return known end
    local count, previous = s[WAITING], nil
    if known then
      count, previous = #known, known[#known]
    elseif count > 0 then
      previous = read_record(redis.call('LINDEX', KEYS[2], -1))
    end
    local due = max(now, s[HOLD], s[BACK], previous and previous[3] or 0)
    for i = 1, windows do
      local base, limit = EACH * i, limit_of(i)
      local need = min(amounts[i] + margins[i], limit) - limit + s[base + USED]
      if which then
        for _, waiting in ipairs(known) do need = need + waiting[5][i] end
      else
        need = need + s[base + QUEUED]
      end
      if need > 0 then due = max(due, freed(i, need, queue)) end
    end
    local over = s[BUSY] + count - slots
    if slots == 0 or over < 0 then return due, 1 end
    return max(due, now + floor(s[KEPT] * (over + 1) / slots)), 0
  end

  function book.enqueue(which, record)
    redis.call('RPUSH', KEYS[2], which)
    s[WAITING], touch = s[WAITING] + 1, touch or s[WAITING] == 0
    for i = 1, windows do
      local place = EACH * i + QUEUED
      s[place] = s[place] + record[5][i]
    end
    s[EXPIRY] = min(s[EXPIRY], record[2])
    put(which, record)
  end

  local function leave(which, record)
    redis.call('LREM', KEYS[2], 1, which)
    s[WAITING] = s[WAITING] - 1
    for i = 1, windows do
      local place = EACH * i + QUEUED
      s[place] = s[place] - record[5][i]
    end
    put(which, false)
  end
  book.leave = leave

  function book.pump()
    while s[WAITING] > 0 do
      local first = redis.call('LINDEX', KEYS[2], 0)
      local head = read_record(first)
      if not fits(head[5], head[6]) then return end
      leave(first, head)
      grant(first, head[5])
      if head[3] > now or head[4] == 0 then -- else it comes by itself
        rung[#rung + 1], rung[#rung + 2] = head[7], first
      end
    end
  end

  local function bury()
    local all, expiry = redis.call('HGETALL', KEYS[1]), FOREVER
    for k = 1, #all, 2 do
      if all[k]:sub(1, 1) == 'l' then
        local which, record = all[k]:sub(2), cmsgpack.unpack(all[k + 1])
        if record[2] > now then
          expiry = min(expiry, record[2])
        elseif record[1] == 0 then
          leave(which, record)
        else
          s[BUSY] = s[BUSY] - 1
          put(which, false)
        end
      end
    end
    s[EXPIRY] = expiry
  end

  function book.advance()
    for i = 1, windows do
      local base, bucket = EACH * i, floor(now / rules[3 * i + 4])
      if bucket ~= s[base + LAST] then advance(i, base, bucket) end
    end
    if now >= s[EXPIRY] then bury() end
  end

  book.record = read_record
  return book
end
