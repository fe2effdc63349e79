-- The buckets before the last. Functions are made where they are needed: to make one costs as much
-- as to count.
counts = {}

-- The counts of these buckets, all before the window's last.
local function range(i, from, to)
  local names, found = {}, {}
  for bucket = from, to do names[#names + 1] = ':' .. i .. ':' .. bucket % $RING end
  local packed = redis.call('HMGET', KEYS[1], unpack(names))
  for k, name in ipairs(names) do
    local pair = counts[name]
    if not pair and packed[k] then pair = {struct.unpack('<dd', packed[k])} end
    found[k] = pair and pair[1] == from + k - 1 and pair[2] or 0
  end
  return found
end

local function store(i, bucket, count)
  counts[':' .. i .. ':' .. bucket % $RING] = {bucket, count}
end

-- Ring.add.
local function add(i, amount, at)
  local base = $EACH * i
  local bucket, last = math.floor(at / ask[3 * i + $WIDTH]), s[base + $LAST]
  if last - bucket >= $RING then return end
  s[base + $USED] = s[base + $USED] + amount
  if bucket == last then
    s[base + $CURRENT] = s[base + $CURRENT] + amount
  else
    local pair = counts[':' .. i .. ':' .. bucket % $RING]
    local count = pair and pair[1] == bucket and pair[2] or range(i, bucket, bucket)[1]
    store(i, bucket, count + amount)
    if bucket < s[base + $FIRST] then s[base + $FIRST] = bucket end
  end
end
