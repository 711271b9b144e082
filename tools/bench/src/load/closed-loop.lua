-- One thread of wrk as a crowd of clients: each connection sends its next request as soon as the last is answered.
-- Arguments: folder, method, host, path, prefix, replay_every, refuse_every; request-source.ts says what they mean.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set('thread_number', #threads)
end

local REPLAY_MEMORY = 4096
local AMOUNT_MAX = 10000
local REFUSED_AMOUNT = '9000000000000000'

local heads, picks, prefix, replay_every, refuse_every, is_get
local counter = 0
local memory, remembered = {}, 0

refused = 0
unexpected = 0

local function read_lines(file)
  local lines = {}
  for line in io.lines(file) do lines[#lines + 1] = line end
  return lines
end

function init(args)
  local folder, method, host, path = args[1], args[2], args[3], args[4]
  prefix, replay_every, refuse_every = args[5] .. '-' .. thread_number, tonumber(args[6]), tonumber(args[7])
  is_get = method == 'GET'
  math.randomseed(os.time() + thread_number)
  heads, picks = {}, {}
  for number, token in ipairs(read_lines(folder .. '/tokens')) do
    local head = method .. ' ' .. path .. ' HTTP/1.1\r\nHost: ' .. host .. '\r\nAuthorization: Bearer ' .. token .. '\r\n'
    -- Lua counts from 1, and the picks count users from 0.
    heads[number - 1] = is_get and head .. '\r\n' or head .. 'Content-Type: application/json\r\nContent-Length: '
  end
  for number, pick in ipairs(read_lines(folder .. '/picks')) do picks[number - 1] = tonumber(pick) end
  pick_count = #picks + 1
  -- wrk parses every header of every answer once this function exists; elsewhere its own count of errors is enough.
  if refuse_every > 0 then
    response = function(status)
      if status == 422 then refused = refused + 1 elseif status ~= 201 then unexpected = unexpected + 1 end
    end
  end
end

function request()
  counter = counter + 1
  local head = heads[picks[counter % pick_count]]
  if is_get then return head end
  if replay_every > 0 and counter % replay_every == 0 and remembered > 0 then return memory[math.random(#memory)] end
  local refusable = refuse_every > 0 and counter % refuse_every == 0
  local entry = (refusable or counter % 2 == 0) and 'debit' or 'credit'
  local amount = refusable and REFUSED_AMOUNT or math.random(AMOUNT_MAX)
  local body = '{"entry":"' .. entry .. '","amount":' .. amount .. ',"trans_id":"' .. prefix .. '-' .. counter .. '"}'
  local text = head .. #body .. '\r\n\r\n' .. body
  if replay_every > 0 then
    memory[remembered % REPLAY_MEMORY + 1] = text
    remembered = remembered + 1
  end
  return text
end

-- Without `response` wrk counts every status of 400 and more as an error.
function done(summary, latency)
  local total_refused, total_unexpected = 0, summary.errors.status
  for _, thread in ipairs(threads) do total_refused = total_refused + thread:get('refused') end
  if total_refused > 0 then
    total_unexpected = 0
    for _, thread in ipairs(threads) do total_unexpected = total_unexpected + thread:get('unexpected') end
  end
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"seconds":%.6f,"answered":%d,"refused":%d,"unexpected":%d,"broken":%d,"p50_ms":%.3f,"p90_ms":%.3f,"p99_ms":%.3f}\n',
    summary.duration / 1e6, summary.requests, total_refused, total_unexpected,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3
  ))
end
