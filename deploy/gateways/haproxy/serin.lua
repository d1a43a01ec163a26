-- Follows routes of Serin and assigns requests by them. HAProxy 2.6 or later: lua-load serin.lua
--
--   lua.serin(SERVICE[,HEADER])        sample fetch: the release of a request, "" while no route is known
--   lua.serin_role(SERVICE[,HEADER])   the same as a role: "stable" or "canary"
--
-- HEADER carries the sticky key; a request without it is drawn at random. The rule is that of every gateway of Serin:
-- the first 8 bytes of sha256(salt ":" key) modulo 10,000; the canary has the buckets below its weight. Past
-- valid_until a request goes to stable, whatever Serin says or does not say.
--
-- From the environment: SERIN_URL (http and an address), SERIN_TOKEN, SERIN_SERVICES, SERIN_INSTANCE.

local url = os.getenv("SERIN_URL")
local token = os.getenv("SERIN_TOKEN")
local instance = os.getenv("SERIN_INSTANCE") or "haproxy"
local routes = {} -- service -> the route in effect; replaced as a whole

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

local function older(new, old)
    return old ~= nil and new.incarnation == old.incarnation and new.epoch < old.epoch
end

local function follow(service)
    local etag
    local address = url .. "/v1/routes/" .. service .. "?format=plain&wait=20s"
    while true do
        local headers = {["authorization"] = {"Bearer " .. token}, ["serin-gateway"] = {instance}}
        if etag ~= nil then
            headers["if-none-match"] = {etag} -- the route in effect: this is the acknowledgement
        end
        local answer = core.httpclient():get{url = address, headers = headers, timeout = 30000}
        local status = answer and answer.status or 0
        if status == 200 then
            local route = parse(answer.body or "")
            if route ~= nil and not older(route, routes[service]) then
                routes[service] = route
                etag = answer.headers["etag"] and answer.headers["etag"][0]
            else
                core.log(core.warning, "serin: a route of " .. service .. " was not taken")
                core.msleep(1000)
            end
        elseif status ~= 304 then
            -- what is in effect stays, the canary until valid_until
            core.msleep(1000)
        end
    end
end

-- 0..9999, the same number at every gateway
local function bucket(txn, salt, key)
    local high, low = string.unpack(">I4I4", txn.c:sha2(salt .. ":" .. key, 256))
    return ((high % 10000) * (4294967296 % 10000) + low) % 10000
end

local function assign(txn, service, header)
    local route = routes[service]
    if route == nil then
        return nil
    end
    if route.stable == nil then
        return "canary", route.canary -- a first release: there is nothing to go back to
    end
    if route.canary == nil or (route.valid_until ~= nil and os.time() >= route.valid_until) then
        return "stable", route.stable
    end
    local key = header and txn.sf:req_hdr(header) or ""
    local drawn = key ~= "" and bucket(txn, route.salt, key) or math.random(0, 9999)
    if drawn < route.canary.weight then
        return "canary", route.canary
    end
    return "stable", route.stable
end

core.register_fetches("serin", function(txn, service, header)
    local _, arm = assign(txn, service, header)
    return arm and arm.release or ""
end)

core.register_fetches("serin_role", function(txn, service, header)
    local role = assign(txn, service, header)
    return role or ""
end)

if url == nil or token == nil then
    core.log(core.err, "serin: SERIN_URL and SERIN_TOKEN are not set; no route is followed")
else
    for service in (os.getenv("SERIN_SERVICES") or ""):gmatch("%S+") do
        core.register_task(function() follow(service) end)
    end
end
