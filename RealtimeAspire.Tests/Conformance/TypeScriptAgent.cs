using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>The TypeScript client in Node, one line of JSON for each command and each answer.</summary>
internal sealed class TypeScriptAgent : IAgent
{
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode?>> _answers = new();
    private readonly Process _process;
    private readonly Task _reading;
    private readonly Task<string> _errors;
    private int _last;

    private TypeScriptAgent(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
        _reading = ReadAsync();
    }

    public static TypeScriptAgent Start() => new(Process.Start(new ProcessStartInfo("node", [Repository.PathOf("clients/typescript/node_modules/.cache/agent.mjs")])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!);

    public async Task<JsonNode?> DoAsync(string command, JsonNode? members)
    {
        var id = Interlocked.Increment(ref _last);
        var answer = _answers[id] = new TaskCompletionSource<JsonNode?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var line = new JsonObject { ["id"] = id, ["command"] = command };
        foreach (var (name, value) in members?.AsObject() ?? [])
        {
            line[name] = value?.DeepClone();
        }

        await _process.StandardInput.WriteLineAsync(line.ToJsonString());
        await _process.StandardInput.FlushAsync(Topology.Cancelled);
        return await answer.Task.WaitAsync(TimeSpan.FromSeconds(30), Topology.Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(5)))
        {
            _process.Kill();
        }

        await _reading;
        var errors = await _errors;
        _process.Dispose();
        Assert.True(errors.Length == 0, errors);
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            var answer = JsonNode.Parse(line)!;
            var waiting = _answers[(int)answer["id"]!];
            if (answer["error"] is { } error)
            {
                waiting.SetException(new AgentException((string)error["code"]!, (string)error["message"]!));
            }
            else
            {
                waiting.SetResult(answer["result"]);
            }
        }

        foreach (var (_, waiting) in _answers)
        {
            waiting.TrySetException(new AgentException("ended", "The agent has ended."));
        }
    }
}
