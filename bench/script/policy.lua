local domains = {["example.com"] = {tenant = "one", limit = 100, sign = true}, ["example.org"] = {tenant = "two", limit = 50, sign = false}}
local blocked = {["spam.example"] = true, ["bad.example"] = true}
local sent = {}
local words = {free = true, winner = true, urgent = true}
local function score(message)
    local score = 0
    if #message.subject > 60 then score = score + 1 end
    for w in string.gmatch(string.lower(message.subject), "%a+") do
        if words[w] then score = score + 3 break end
    end
    if string.upper(message.subject) == message.subject then score = score + 2 end
    for _, h in ipairs(message.headers) do
        local name = string.lower(h[1])
        if name == "precedence" and h[2] == "bulk" then score = score - 1 end
        if name == "list-unsubscribe" then score = score - 1 end
    end
    return score
end
local transports = {["gmail.com"] = "gmail", ["googlemail.com"] = "gmail", ["yahoo.com"] = "yahoo"}
local function decide(message)
    local box, domain = string.match(message.sender, "^(.-)@(.*)$")
    domain = string.lower(domain)
    local settings = domains[domain]
    if not settings then return {action = "reject", reason = "550 sender not known"} end
    sent[domain] = (sent[domain] or 0) + 1
    local score = score(message)
    if score >= 5 then return {action = "reject", reason = "554 " .. score .. " is too much"} end
    local queued = {}
    for _, r in ipairs(message.recipients) do
        local name, to = string.match(r, "^(.-)@(.*)$")
        if not blocked[to] then
            queued[#queued + 1] = {recipient = name .. "@" .. string.lower(to), transport = transports[to] or "default", jobid = settings.tenant .. "-" .. message.job}
        end
    end
    if #queued == 0 then return {action = "reject", reason = "550 no recipient left"} end
    return {action = settings.sign and "sign" or "accept", queued = queued, score = score}
end
local subjects = {"Hello there", "URGENT", "You are a WINNER of a free cruise, act now before it is much too late for you", "Invoice 4711"}
local senders = {"joe@example.com", "ann@Example.org", "eve@elsewhere.example"}
local count, queued, total = {}, 0, 0
for i = 0, 99999 do
    local sender = senders[i % 3 + 1]
    local decision = decide({sender = sender, subject = subjects[i % 4 + 1], job = i % 50,
        headers = {{"From", sender}, {"Precedence", "bulk"}, {"List-Unsubscribe", "<mailto:u@example.com>"}, {"X-Id", "n" .. i}},
        recipients = {"a" .. i .. "@gmail.com", "b@Spam.example", "c@bad.example"}})
    count[decision.action] = (count[decision.action] or 0) + 1
    queued = queued + #(decision.queued or {})
    total = total + (decision.score or 0)
end
print(count.reject .. " " .. count.sign .. " " .. count.accept .. " " .. queued .. " " .. total)
