---@brief
---
--- Footnote: inline code completion that cites its sources, offline. Needs Neovim 0.12.
---
--- Suggestions appear as ghost text; near-verbatim passages are diagnostics, hover tells their sources.
---
--- ```lua
--- vim.lsp.enable('footnote')
--- vim.keymap.set('i', '<Tab>', function()
---   if not vim.lsp.inline_completion.get() then return '<Tab>' end
--- end, { expr = true, desc = 'Accept the suggestion' })
--- ```
---
--- - `:LspFootnoteAccept` accepts the suggestion, for keys that are no expressions.
--- - `:LspFootnoteExplain` tells why there was a suggestion, or none, at the last requests.
--- - `:LspFootnoteRestart` loads the model again.
--- - `vim.g.footnote_status` is what it is doing, for a status line.

--- One line for each of the last requests, newest first.
local function explained(result)
  local lines = {}
  for _, each in ipairs(result.requests) do
    lines[#lines + 1] = ('%s:%d  %s  %s  %d ms'):format(
      each.file, each.line, each.outcome, each.why, each.total_ms
    )
  end
  return #lines > 0 and lines or { 'nothing was asked yet' }
end

---@type vim.lsp.Config
return {
  cmd = { 'footnote', 'serve' },
  filetypes = {
    'c', 'cpp', 'cs', 'css', 'go', 'html', 'java', 'javascript', 'javascriptreact', 'lua', 'php', 'python',
    'ruby', 'rust', 'sh', 'sql', 'typescript', 'typescriptreact',
  },
  root_markers = { '.git' },
  handlers = {
    ['$/footnote/status'] = function(_, status)
      vim.g.footnote_status = status.message
      vim.cmd.redrawstatus({ bang = true })
    end,
  },
  on_attach = function(client, buffer)
    vim.lsp.inline_completion.enable(true, { bufnr = buffer })
    local function command(name, run, about)
      vim.api.nvim_buf_create_user_command(buffer, 'LspFootnote' .. name, run, { desc = about })
    end
    command('Accept', function() vim.lsp.inline_completion.get() end, 'Accept the suggestion')
    command('Explain', function()
      client:request('footnote/explain', vim.empty_dict(), function(problem, result)
        vim.lsp.util.open_floating_preview(problem and { problem.message } or explained(result), 'text')
      end, buffer)
    end, 'Tell why there was a suggestion, or none')
    command('Restart', function()
      client:exec_cmd({ title = 'Restart', command = 'footnote.restartModel' }, { bufnr = buffer })
    end, 'Load the model again')
    -- LSP does not say where the cursor is; told, the model has read the text before it is asked.
    vim.api.nvim_create_autocmd({ 'BufEnter', 'CursorHold' }, {
      buffer = buffer,
      desc = 'Tell Footnote where the cursor is',
      callback = function()
        if client:is_stopped() then return true end
        client:notify('footnote/cursor', vim.lsp.util.make_position_params(0, client.offset_encoding))
      end,
    })
  end,
}
