-- SPDX-License-Identifier: MIT
-- A scheduler that never comes back from its 100th call, in line 9.
local calls = 0
return {
    pick = function(self, view)
        calls = calls + 1
        if calls == 100 then
            while true do
                calls = calls + 1
            end
        end
        return 1
    end,
}
