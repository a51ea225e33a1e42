local message = table.concat({
    "Received: from mx.example.org (mx.example.org [192.0.2.25])", "\tby mail.example.com (Posthaste) with ESMTPS id 5F3A1B2C", "\tfor <ann@example.com>; Mon, 30 Nov 2026 12:00:00 +0000",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=mail;", " h=from:to:subject:date; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;", " b=dGVzdA==",
    "From: \"Joe Doe\" <joe@example.org>", "To: Ann <ann@example.com>, bob@example.net", "Subject: A subject that goes on", " for two lines", "Date: Mon, 30 Nov 2026 12:00:00 +0000",
    "Message-ID: <20261130120000.4711@example.org>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "X-Spam-Score: 1.5", "", "The body."}, "\r\n")
local function split(text, by)
    local list, from = {}, 1
    while true do
        local at = string.find(text, by, from, true)
        if not at then list[#list + 1] = string.sub(text, from) return list end
        list[#list + 1] = string.sub(text, from, at - 1)
        from = at + #by
    end
end
local function strip(s) return (string.match(s, "^%s*(.-)%s*$")) end
local function parse(message)
    local stop = string.find(message, "\r\n\r\n", 1, true)
    local fields, name, count = {}, "", 0
    for _, line in ipairs(split(string.sub(message, 1, stop - 1), "\r\n")) do
        local first = string.sub(line, 1, 1)
        if first == " " or first == "\t" then
            local list = fields[name]
            list[#list] = list[#list] .. " " .. strip(line)
        else
            local colon = string.find(line, ":", 1, true)
            name = string.lower(string.sub(line, 1, colon - 1))
            if not fields[name] then fields[name] = {} count = count + 1 end
            table.insert(fields[name], strip(string.sub(line, colon + 1)))
        end
    end
    return fields, count
end
local function addresses(value)
    local found = {}
    for _, part in ipairs(split(value, ",")) do
        local open = string.find(part, "<", 1, true)
        found[#found + 1] = open and string.sub(part, open + 1, string.find(part, ">", 1, true) - 1) or strip(part)
    end
    return found
end
local total = 0
for i = 1, 30000 do
    local fields, count = parse(message)
    local to = addresses(fields["to"][1])
    total = total + count + #to + #to[2] + #fields["subject"][1]
    local tags = {}
    for _, tag in ipairs(split(fields["dkim-signature"][1], ";")) do
        local at = string.find(tag, "=", 1, true)
        tags[strip(string.sub(tag, 1, at - 1))] = strip(string.sub(tag, at + 1))
    end
    if tags["d"] == "example.org" then total = total + 1 end
end
print(total)
