-- For wrk: with the argument `cold` every request asks for another end of the range, which no cache can know.
-- Ends by printing one line of JSON.
local asked = 0
local cold = false
local path = ""

function init(arguments)
  cold = arguments[1] == "cold"
  path = wrk.path
end

function request()
  if not cold then
    return wrk.format("GET", path)
  end
  asked = asked + 1
  local seconds = os.time() + math.floor(asked / 1000)
  local last = os.date("!%Y-%m-%dT%H:%M:%S", seconds) .. string.format(".%03dZ", asked % 1000)
  return wrk.format("GET", path .. "&fim=" .. last)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  print(string.format(
    '{"answers": %d, "per_s": %.3f, "p50_ms": %.4f, "p99_ms": %.4f, "refused": %d, "failed": %d}',
    summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status, failed
  ))
end
