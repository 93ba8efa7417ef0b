-- SPDX-License-Identifier: MIT
-- NSDI'12, figure 5: what a connection over WiFi and 3G holds, on average.
scenario("Memory held against the largest window, WiFi and 3G (NSDI'12, figure 5)")
local window = param("window", 500, "KB", "largest send and receive buffer")
local variant = param("variant", "default", "", "wifi or 3g: TCP on that path; else the scheduler")
local cc = param("cc", "lia", "", "congestion control")
plot{name = "sender", title = "Held by the sender", x = "window", y = "sender", series = "variant",
     xlabel = "largest window, KB", ylabel = "KB"}

local single = variant == "wifi" or variant == "3g"
local config = {cc = cc, tcp = single, send_buffer_bytes = window * KB,
                send_buffer_max_bytes = window * KB, recv_buffer_bytes = window * KB,
                recv_buffer_max_bytes = window * KB}
if not single and variant ~= "default" then
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

local _, writer, reader = bulk{from = client, to = s, stop = 60}
local mbps = goodput(reader, 5, 60)
local queued, out_of_order, samples = 0, 0, 0
at(5, function()
    every("10ms", function()
        queued = queued + writer:info().send_queued_bytes
        out_of_order = out_of_order + reader:info().ooo_bytes
        samples = samples + 1
    end, 60)
end)
finish{limit = 180}
figure("sender", "KB", queued / samples / KB)
figure("receiver", "KB", out_of_order / samples / KB)
figure("goodput", "Mbit/s", mbps())
