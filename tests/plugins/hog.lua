-- SPDX-License-Identifier: MIT
-- A scheduler that keeps more and more.
local seen = {}
return {
    pick = function(self, view)
        for _ = 1, 1000 do
            seen[#seen + 1] = { view.now_us }
        end
        return 1
    end,
}
