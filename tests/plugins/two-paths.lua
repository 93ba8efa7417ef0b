-- SPDX-License-Identifier: MIT
-- Two paths and one long transfer, for plug-ins that are named beside it.
scenario("one transfer over two paths")
local bytes = param("bytes", 4000000, "bytes", "how much is sent")

local client, server = host("client"), host("server")
local s = server:iface("10.0.9.1")
path(client:iface("10.0.1.1"), s, "rate=20mbit,delay=10ms,queue=60kB")
path(client:iface("10.0.2.1"), s, "rate=10mbit,delay=30ms,queue=60kB")
local stream, _, reader = bulk{from = client, to = s, bytes = bytes}
finish()
expect(reader:received() == bytes, "not everything arrived")
figure("goodput", "Mbit/s", reader:rate())
figure("plug-ins failed", "", client:counter("PluginFailed") + server:counter("PluginFailed"))
