-- SPDX-License-Identifier: MIT
-- NSDI'12 (Raiciu et al.), figure 4: WiFi and 3G, goodput against the window.
scenario("Goodput against the receive window, WiFi and 3G (NSDI'12, figure 4)")
local window = param("window", 200, "KB", "send and receive buffer")
local variant = param("variant", "default", "",
                      "wifi or 3g: TCP on that path; plain: the lowest RTT and no heuristics; " ..
                      "else the scheduler")
local cc = param("cc", "lia", "", "congestion control")
plot{name = "goodput", title = "WiFi 8 Mbit/s and 3G 2 Mbit/s", x = "window", y = "goodput",
     series = "variant", xlabel = "window, KB", ylabel = "Mbit/s"}

local single = variant == "wifi" or variant == "3g"
local config = {cc = cc, tcp = single, send_buffer_bytes = window * KB,
                send_buffer_max_bytes = window * KB, recv_buffer_bytes = window * KB,
                recv_buffer_max_bytes = window * KB}
if variant == "plain" then
    config.scheduler, config.heuristics = "lowest-rtt", 0
elseif not single and variant ~= "default" then
    config.scheduler = variant
end
local client, server = host("client", config), host("server", config)
local s = server:iface("10.0.1.2")
if variant ~= "3g" then
    path(client:iface("10.0.1.1"), s, "rate=8mbit,delay=10ms,queue=80ms")
end
if variant ~= "wifi" then
    path(client:iface("10.0.2.1"), s, "rate=2mbit,delay=75ms,queue=2s")
end

local _, writer, reader = bulk{from = client, to = s, start = random() * 0.05, stop = 60}
local function sent_bytes()
    local bytes = 0
    for _, subflow in ipairs(writer:subflows()) do
        bytes = bytes + subflow.bytes_sent
    end
    return bytes
end
local mbps = goodput(reader, 5, 60)
local sent = between(5, 60, sent_bytes)
local read = between(5, 60, function() return reader:received() end)
finish{limit = 180}
figure("goodput", "Mbit/s", mbps())
figure("sent over read", "", sent() / read())
