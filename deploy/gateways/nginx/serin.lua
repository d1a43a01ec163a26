-- Follows routes of Serin inside of nginx and assigns requests by them. nginx 1.22 or later with its Lua module.
--
--   init_worker_by_lua_block { require("serin").start{services = {"chat"}} }
--   set_by_lua_block $release { return require("serin").release("chat", ngx.var.http_x_user_id) }
--
--   serin.start{services, [url], [token], [instance], [wait_s]}   once in each worker; the first one polls
--   serin.release(service, key)   the release of a request, "" while no route is known; its role besides
--
-- A key that is nil or empty is drawn at random. The rule is that of every gateway of Serin: the first 8 bytes of
-- sha256(salt ":" key) modulo 10,000; the canary has the buckets below its weight. Past valid_until a request goes to
-- stable, whatever Serin says or does not say.
--
-- Routes are kept in lua_shared_dict serin, where every worker reads them with its next request: so a route is in effect
-- everywhere when it is written there, and the poll after that acknowledges it. The dictionary outlives a reload.
--
-- url, token and instance are by default SERIN_URL (http and an address), SERIN_TOKEN and SERIN_INSTANCE, which nginx hands
-- on only where its configuration says `env SERIN_URL;` and so on.

local ffi = require("ffi")
ffi.cdef("unsigned char *SHA256(const unsigned char *text, size_t length, unsigned char *digest);")
local digest = ffi.new("unsigned char[32]")

local BODY_MAX = 65536
local shared = ngx.shared.serin
local settings
local silent = {} -- service -> true: the last poll failed, and was told in the log
local parsed = {} -- service -> {text, route}: what this worker has read of the dictionary
local M = {}

-- The form ?format=plain; nil if it is not whole.
local function parse(text)
    local route, whole = {}, false
    for line in text:gmatch("[^\n]+") do
        local word, rest = line:match("^(%S+) ?(.*)$")
        if word == "stable" or word == "canary" then
            local release, weight = rest:match("^(%S+) (%d+)$")
            if release == nil then return nil end
            route[word] = {release = release, weight = tonumber(weight)}
        elseif word == "end" then
            whole = true
        elseif word ~= nil then
            route[word] = rest
        end
    end
    route.incarnation, route.epoch = tonumber(route.incarnation), tonumber(route.epoch)
    route.valid_until = tonumber(route.valid_until) -- nil: no lease
    if not whole or route.epoch == nil or route.incarnation == nil or not (route.stable or route.canary) then
        return nil
    end
    return route
end

local function current(service)
    local text = shared:get("route:" .. service)
    if text == nil then
        return nil
    end
    local seen = parsed[service]
    if seen == nil or seen.text ~= text then
        seen = {text = text, route = parse(text)}
        parsed[service] = seen
    end
    return seen.route
end

local function complain(service, what)
    ngx.log(ngx.WARN, "serin: ", service, ": ", what)
end

-- One request; status, headers (in small letters) and body, or nil and why not.
local function get(path, headers, timeout_s)
    local sock = ngx.socket.tcp()
    sock:settimeouts(2000, 2000, timeout_s * 1000)
    local good, why = sock:connect(settings.host, settings.port)
    if not good then
        return nil, why
    end
    local lines = {"GET " .. path .. " HTTP/1.1", "Host: " .. settings.host .. ":" .. settings.port}
    for name, value in pairs(headers) do
        lines[#lines + 1] = name .. ": " .. value
    end
    good, why = sock:send(table.concat(lines, "\r\n") .. "\r\n\r\n")
    local line = good and sock:receive()
    local status = line and tonumber(line:match("^HTTP/1%.1 (%d%d%d)"))
    if status == nil then
        sock:close()
        return nil, why or "no answer of HTTP/1.1"
    end
    local got = {}
    repeat
        line, why = sock:receive()
        local name, value = (line or ""):match("^([^:]+):%s*(.-)%s*$")
        if name ~= nil then
            got[name:lower()] = value
        end
    until line == nil or line == ""
    local length = status == 304 and 0 or tonumber(got["content-length"])
    if line == nil or length == nil or length > BODY_MAX then
        sock:close()
        return nil, why or "a body without length, or a long one"
    end
    local body = ""
    if length > 0 then
        body, why = sock:receive(length)
        if body == nil then
            sock:close()
            return nil, why
        end
    end
    if (got["connection"] or ""):lower() == "close" then
        sock:close()
    else
        sock:setkeepalive(60000, 16)
    end
    return status, got, body
end

local function take(service, etag, text)
    local new, old = parse(text), current(service)
    if new == nil or (old ~= nil and new.incarnation == old.incarnation and new.epoch < old.epoch) then
        complain(service, "a route was not taken")
        return false
    end
    local good, why = shared:safe_set("route:" .. service, text)
    if not good then
        complain(service, "make lua_shared_dict serin larger: " .. why)
        return false
    end
    shared:set("etag:" .. service, etag)
    return true
end

-- One poll, then the next in a timer of its own: what a timer has allocated is given back when it ends.
local function follow(premature, service)
    if premature or ngx.worker.exiting() then
        return
    end
    local headers = {["Authorization"] = "Bearer " .. settings.token, ["Serin-Gateway"] = settings.instance,
                     ["If-None-Match"] = shared:get("etag:" .. service)} -- of the route in effect: the acknowledgement
    local path = string.format("/v1/routes/%s?format=plain&wait=%ds", service, settings.wait_s)
    local status, got, body = get(path, headers, settings.wait_s + 10)
    local pause = 0
    if status == 200 then
        pause = take(service, got["etag"], body) and 0 or 1
    elseif status ~= 304 then
        -- what is in effect stays, the canary until valid_until
        if not silent[service] then
            complain(service, "no route: " .. tostring(status or got))
        end
        pause = 1
    end
    silent[service] = status ~= 200 and status ~= 304
    local good, why = ngx.timer.at(pause, follow, service)
    if not good and not ngx.worker.exiting() then
        ngx.log(ngx.ERR, "serin: ", service, " is no longer followed: ", why)
    end
end

-- 0..9999, the same number at every gateway
local function bucket(salt, key)
    local text = salt .. ":" .. key
    ffi.C.SHA256(text, #text, digest)
    local number = 0
    for i = 0, 7 do
        number = (number * 256 + digest[i]) % 10000
    end
    return number
end

function M.release(service, key)
    local route = current(service)
    if route == nil then
        return "", ""
    end
    if route.stable == nil then
        return route.canary.release, "canary" -- a first release: there is nothing to go back to
    end
    if route.canary == nil or (route.valid_until ~= nil and ngx.time() >= route.valid_until) then
        return route.stable.release, "stable"
    end
    local drawn = key ~= nil and key ~= "" and bucket(route.salt, key) or math.random(0, 9999)
    if drawn < route.canary.weight then
        return route.canary.release, "canary"
    end
    return route.stable.release, "stable"
end

function M.start(options)
    settings = {token = options.token or os.getenv("SERIN_TOKEN"), wait_s = options.wait_s or 20,
                instance = options.instance or os.getenv("SERIN_INSTANCE") or "nginx"}
    local url = options.url or os.getenv("SERIN_URL") or ""
    settings.host, settings.port = url:match("^http://([^:/]+):(%d+)/?$")
    math.randomseed(ngx.now() * 1000 + ngx.worker.pid())
    if shared == nil or settings.token == nil or settings.host == nil then
        ngx.log(ngx.ERR, "serin: no route is followed: it takes lua_shared_dict serin, SERIN_TOKEN, and SERIN_URL as ",
                "http://ADDRESS:PORT (with `env` lines in nginx's configuration)")
        return
    end
    if ngx.worker.id() == 0 then
        for _, service in ipairs(options.services) do
            ngx.timer.at(0, follow, service)
        end
    end
end

return M
