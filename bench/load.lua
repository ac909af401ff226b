-- Requests for wrk. They are made beforehand, so that wrk itself stays cheap:
--   LOAD_IDS      file of record ids: GET of one of them, chosen at random
--   LOAD_PATH     GET of this path; with LOAD_METHOD=POST, POST of DNS records to it
--   LOAD_TOKEN    the bearer token
--   LOAD_BODY     what to POST; %d is filled with 1, 2, 3... so that no two are the same
--   LOAD_LINES    file of bodies: each is POSTed to LOAD_PATH in its turn, and again from the first
--   LOAD_DELAY    milliseconds that each connection waits before a request, half of it more or less by chance
--   LOAD_LIMIT    stop after so many answers; 0: when wrk's time is over
-- A POST's number starts at a random place, for a run of wrk must not repeat what the last one made.
local requests, n, made = {}, 0, nil
local path, token = os.getenv("LOAD_PATH"), os.getenv("LOAD_TOKEN")
local body, left = os.getenv("LOAD_BODY"), tonumber(os.getenv("LOAD_LIMIT") or "0")

function init()
  if token then wrk.headers["Authorization"] = "Bearer " .. token end
  local file = os.getenv("LOAD_IDS")
  if os.getenv("LOAD_METHOD") == "POST" then
    wrk.headers["Content-Type"] = "application/json"
    made = tonumber(os.getenv("LOAD_FIRST") or "1")
  elseif os.getenv("LOAD_LINES") then
    wrk.headers["Content-Type"] = "application/json"
    for line in io.lines(os.getenv("LOAD_LINES")) do
      requests[#requests + 1] = wrk.format("POST", path, nil, line)
    end
  elseif file then
    for id in io.lines(file) do
      requests[#requests + 1] = wrk.format("GET", "/api/v1/records/" .. id)
    end
  else
    requests[1] = wrk.format("GET", path)
  end
end

function request()
  if made then
    made = made + 1
    return wrk.format("POST", path, nil, string.format(body, made, made % 256))
  end
  n = n % #requests + 1
  return requests[n]
end

if left > 0 then
  function response()
    left = left - 1
    if left == 0 then wrk.thread:stop() end
  end
end

local pause = tonumber(os.getenv("LOAD_DELAY") or "0")
if pause > 0 then
  function delay()
    return math.random(math.floor(pause / 2), math.floor(pause * 3 / 2))
  end
end
