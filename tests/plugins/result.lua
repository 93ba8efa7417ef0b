-- SPDX-License-Identifier: MIT
-- A scheduler that returns the path instead of its number: pick is in line 4.
return {
    pick = function(self, view)
        return view.paths[1]
    end,
}
