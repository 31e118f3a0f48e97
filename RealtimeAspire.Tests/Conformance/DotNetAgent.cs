using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using RealtimeAspire.Client;
using RealtimeAspire.Client.Signing;
using RealtimeAspire.Client.Stores;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>The .NET client, told the same as the TypeScript one.</summary>
internal sealed class DotNetAgent : IAgent
{
    private static readonly JsonSerializerOptions Json = JsonOptions();

    private readonly ConcurrentDictionary<string, Known> _clients = new();
    private readonly ConcurrentDictionary<string, Heard> _subscriptions = new();
    private readonly ConcurrentDictionary<string, JsonNode> _publishes = new();
    private readonly ConcurrentDictionary<string, JsonNode> _calls = new();
    private readonly ConcurrentDictionary<string, JsonNode> _histories = new();
    private readonly ConcurrentDictionary<string, Handled> _handlings = new();
    private readonly ConcurrentDictionary<string, OptimisticState<IReadOnlyList<JsonNode?>>> _states = new();
    private readonly ConcurrentDictionary<string, FilePositionStore> _positions = new();
    private readonly ConcurrentQueue<JsonNode?> _lateOutcomes = new();
    private readonly DirectoryInfo _disk = Directory.CreateTempSubdirectory("realtime-agent-");

    public async Task<JsonNode?> DoAsync(string command, JsonNode? members)
    {
        try
        {
            return await (command switch
            {
                "open" => Now(() => Open(members!)),
                "registerKey" => Then(Of(members!).Keys.RegisterAsync(Of(members!).Signer!.PublicKey, Topology.Cancelled)),
                "revokeKey" => Then(Of(members!).Keys.RevokeAsync(Of(members!).Signer!.KeyId, Topology.Cancelled)),
                "connect" => Then(ClientOf(members!).ConnectAsync(Topology.Cancelled)),
                "disconnect" => Now(ClientOf(members!).Disconnect),
                "retryNow" => Now(ClientOf(members!).RetryNow),
                "close" => Then(ClientOf(members!).DisposeAsync().AsTask()),
                "subscribe" => SubscribeAsync(members!),
                "leave" => Then(_subscriptions[(string)members!["subscription"]!].Subscription!.DisposeAsync().AsTask()),
                "publish" => PublishAsync(members!),
                "call" => Now(() => Call(members!)),
                "handle" => HandleAsync(members!),
                "unhandle" => Then(_handlings[(string)members!["handling"]!].Handling!.DisposeAsync().AsTask()),
                "optimistic" => OptimisticAsync(members!),
                "change" => Now(() => Change(members!)),
                "history" => HistoryAsync(members!),
                "acknowledge" => Then(ClientOf(members!).AcknowledgeAsync((string)members!["topic"]!, Read<Position>(members["position"]), (string)members["consumer"]!)),
                "look" => Task.FromResult<JsonNode?>(Look()),
                _ => throw new ArgumentException($"The agent does not know {command}.", nameof(command)),
            });
        }
        catch (RealtimeException exception)
        {
            throw new AgentException(exception.Code, exception.Message);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, known) in _clients)
        {
            await known.Client.DisposeAsync();
            known.Signer?.Dispose();
        }

        foreach (var (_, positions) in _positions)
        {
            await positions.DisposeAsync();
        }

        _disk.Delete(recursive: true);
    }

    private static Task<JsonNode?> Now(Action act)
    {
        act();
        return Task.FromResult<JsonNode?>(null);
    }

    private static async Task<JsonNode?> Then(Task done)
    {
        await done.WaitAsync(TimeSpan.FromSeconds(30), Topology.Cancelled);
        return null;
    }

    private void Open(JsonNode members)
    {
        var known = new Known([.. members["tokens"]!.AsArray().Select(token => (string)token!)]);
        var options = members["options"];
        var reconnect = options?["reconnect"];
        var defaults = new RealtimeClientOptions();
        known.Signer = (bool?)members["signs"] is true ? new EventSigner(ECDsa.Create(ECCurve.NamedCurves.nistP256)) : null;
        known.Keys = new SigningKeys(new Uri((string)members["url"]!), () => Task.FromResult<string?>((string)members["tokens"]![0]!)) { KeepTime = TimeSpan.Zero };
        known.Client = new RealtimeClient(new Uri((string)members["url"]!), defaults with
        {
            Token = renew => Task.FromResult<string?>(known.Token(renew)),
            Sign = known.Signer is { } signer ? request => signer.Sign(request) : null,
            Reconnect = new Backoff { First = TimeOf(reconnect, "first", defaults.Reconnect.First), Longest = TimeOf(reconnect, "longest", defaults.Reconnect.Longest) },
            OutboxStore = (string?)members["store"] is { } store ? new FileOutbox(Path.Combine(_disk.FullName, store)) : null,
            OnLateOutcome = late => _lateOutcomes.Enqueue(late.Error is { } error
                ? new JsonObject { ["id"] = late.Item.Request.Id, ["code"] = error.Code }
                : new JsonObject { ["id"] = late.Item.Request.Id, ["duplicate"] = late.Reply!.Duplicate }),
            OnSubscribed = (topic, _) => known.Subscribed.Enqueue(topic),
            Transports = options?["transports"] is JsonArray transports ? [.. transports.Select(name => Enum.Parse<Transport>((string)name!, ignoreCase: true))] : defaults.Transports,
            RetryWebSocketAfter = TimeOf(options, "retryWebSocketAfter", defaults.RetryWebSocketAfter),
            OpenTimeout = TimeOf(options, "openTimeout", defaults.OpenTimeout),
            SuspendAfter = TimeOf(options, "suspendAfter", defaults.SuspendAfter),
            Heartbeat = TimeOf(options, "heartbeat", defaults.Heartbeat),
            Silence = TimeOf(options, "silence", defaults.Silence),
            AnswerTimeout = TimeOf(options, "answerTimeout", defaults.AnswerTimeout),
            OutboxCount = (int?)options?["outbox"]?["count"] ?? defaults.OutboxCount,
            OutboxAge = TimeOf(options?["outbox"], "age", defaults.OutboxAge),
        });
        known.Client.StateChanged += known.Enter;
        _clients[(string)members["name"]!] = known;
    }

    private async Task<JsonNode?> SubscribeAsync(JsonNode members)
    {
        var heard = _subscriptions[(string)members["as"]!] = new Heard();
        var (options, behaviour) = (members["options"], members["behaviour"]);
        var slow = TimeOf(behaviour, "slow", TimeSpan.Zero);
        var verifier = (bool?)behaviour?["verify"] is true ? new EventVerifier(Of(members).Keys.FindAsync) : null;
        async Task HearAsync(TopicEvent next)
        {
            if (slow > TimeSpan.Zero)
            {
                await Task.Delay(slow, TimeProvider.System);
            }

            var payload = JsonNode.Parse(next.Data.Payload.GetRawText());
            if (behaviour?["failsAt"] is { } fails && JsonNode.DeepEquals(fails, payload))
            {
                throw new InvalidOperationException("as asked");
            }

            if (verifier is not null)
            {
                var verified = await verifier.VerifyAsync(next, Topology.Cancelled);
                var status = JsonNamingPolicy.CamelCase.ConvertName(verified.Status.ToString());
                heard.Signatures.Enqueue(verified.Key?.RevokedAt is null ? status : $"{status}, revoked");
            }

            heard.Traces.Enqueue(AgentTracing.Current);
            heard.Payloads.Enqueue(payload);
        }

        var iterates = (bool?)behaviour?["iterate"] ?? false;
        var subscription = await ClientOf(members).SubscribeAsync(
            (string)members["topic"]!,
            new SubscribeOptions
            {
                Position = Read<Position?>(options?["position"]),
                Positions = (string?)members["positions"] is { } name ? _positions.GetOrAdd(name, name => new FilePositionStore(Path.Combine(_disk.FullName, name))) : null,
                Rewind = Read<Rewind>(options?["rewind"]),
                Qos = Read<QosRequest>(options?["qos"]),
                Consumer = (string?)options?["consumer"],
                Ephemeral = (bool?)options?["ephemeral"],
                MaxQueued = (int?)options?["maxQueued"] ?? new SubscribeOptions().MaxQueued,
                OnEvent = iterates ? null : HearAsync,
                OnRecovery = (recovery, _) => heard.Recoveries.Enqueue(JsonSerializer.SerializeToNode(recovery, Json)),
                Reload = lost =>
                {
                    heard.Lost.Enqueue(JsonSerializer.SerializeToNode(lost, Json));
                    return Task.FromResult(Read<Position?>(behaviour?["reload"]));
                },
            },
            Topology.Cancelled);
        heard.Subscription = subscription;
        if (iterates)
        {
            _ = Task.Run(async () =>
            {
                await foreach (var next in subscription)
                {
                    await HearAsync(next);
                }
            });
        }

        return null;
    }

    private async Task<JsonNode?> PublishAsync(JsonNode members)
    {
        var options = members["options"];
        var published = AgentTracing.Within((string?)members["trace"], () => ClientOf(members).PublishAsync(
            (string)members["topic"]!, (string?)members["event"] ?? "app:note", members["payload"], (string?)options?["id"], queue: (bool?)options?["queue"] ?? true));
        if ((string?)members["as"] is not { } name)
        {
            return JsonSerializer.SerializeToNode(await published, Json);
        }

        // The suite looks later what became of it.
        Remember(name, published);
        return null;
    }

    private void Remember(string name, Task<PublishReply> published) => Later(_publishes, name, async () =>
    {
        var reply = await published;
        return new JsonObject { ["position"] = JsonSerializer.SerializeToNode(reply.Position, Json), ["duplicate"] = reply.Duplicate };
    });

    private static void Later(ConcurrentDictionary<string, JsonNode> outcomes, string name, Func<Task<JsonObject>> work) => _ = Task.Run(async () =>
    {
        try
        {
            outcomes[name] = await work();
        }
        catch (RealtimeException exception)
        {
            outcomes[name] = new JsonObject { ["code"] = exception.Code };
        }
    });

    private void Call(JsonNode members)
    {
        var timeout = members["options"]?["timeout"] is { } given ? TimeSpan.FromMilliseconds((int)given!) : default(TimeSpan?);
        var called = AgentTracing.Within(
            (string?)members["trace"],
            () => ClientOf(members).CallAsync<JsonNode>((string)members["topic"]!, (string)members["method"]!, members["payload"], timeout));
        Later(_calls, (string)members["as"]!, async () => new JsonObject { ["reply"] = (await called)?.DeepClone() });
    }

    private async Task<JsonNode?> HandleAsync(JsonNode members)
    {
        var seen = _handlings[(string)members["as"]!] = new Handled();
        var behaviour = members["behaviour"];
        seen.Handling = await ClientOf(members).HandleAsync((string)members["topic"]!, (string)members["method"]!, async call =>
        {
            var payload = JsonNode.Parse(call.Payload.GetRawText());
            seen.Payloads.Enqueue(payload);
            seen.From.Enqueue(call.From);
            seen.Traces.Enqueue(AgentTracing.Current);
            if ((bool?)behaviour?["hangs"] is true)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, Topology.Cancelled);
            }

            return (string?)behaviour?["throws"] is { } code ? throw new RealtimeException(new ErrorCode(code, 422, Retryable: false, "as asked"))
                : (bool?)behaviour?["echo"] is true ? payload
                : behaviour?["answer"];
        });
        return null;
    }

    private async Task<JsonNode?> OptimisticAsync(JsonNode members)
    {
        var state = new OptimisticState<IReadOnlyList<JsonNode?>>([], (values, change) => [.. values, JsonNode.Parse(change.Payload.GetRawText())]);
        _states[(string)members["as"]!] = state;
        await ClientOf(members).SubscribeAsync((string)members["topic"]!, new SubscribeOptions
        {
            OnEvent = received =>
            {
                state.Receive(received);
                return Task.CompletedTask;
            },
        });
        return null;
    }

    private void Change(JsonNode members) => Remember((string)members["as"]!, _states[(string)members["state"]!].PublishAsync(
        ClientOf(members), (string)members["topic"]!, (string?)members["event"] ?? "app:note", members["payload"]));

    private async Task<JsonNode?> HistoryAsync(JsonNode members)
    {
        var page = await ClientOf(members).HistoryAsync(Read<HistoryRequest>(members["request"])!, Topology.Cancelled);
        _histories[(string)members["as"]!] = new JsonObject
        {
            ["payloads"] = ArrayOf(page.Events.Select(read => JsonNode.Parse(read.Data.Payload.GetRawText()))),
            ["recovery"] = JsonSerializer.SerializeToNode(page.Recovery, Json),
            ["complete"] = page.Complete,
        };
        return null;
    }

    private JsonObject Look() => new()
    {
        ["clients"] = new JsonObject(_clients.Select(client => KeyValuePair.Create<string, JsonNode?>(client.Key, client.Value.Look()))),
        ["subscriptions"] = new JsonObject(_subscriptions.Select(heard => KeyValuePair.Create<string, JsonNode?>(heard.Key, heard.Value.Look()))),
        ["lateOutcomes"] = ArrayOf(_lateOutcomes),
        ["publishes"] = CopyOf(_publishes),
        ["calls"] = CopyOf(_calls),
        ["histories"] = CopyOf(_histories),
        ["handlings"] = new JsonObject(_handlings.Select(handled => KeyValuePair.Create<string, JsonNode?>(handled.Key, handled.Value.Look()))),
        ["states"] = new JsonObject(_states.Select(state => KeyValuePair.Create<string, JsonNode?>(
            state.Key, new JsonObject { ["value"] = ArrayOf(state.Value.Value), ["pending"] = state.Value.PendingCount }))),
    };

    private Known Of(JsonNode members) => _clients[(string)members["client"]!];

    private RealtimeClient ClientOf(JsonNode members) => Of(members).Client;

    private static TimeSpan TimeOf(JsonNode? options, string name, TimeSpan otherwise) =>
        options?[name] is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds.Deserialize<double>()) : otherwise;

    private static T? Read<T>(JsonNode? node) => node.Deserialize<T>(Json);

    private static JsonSerializerOptions JsonOptions()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web);
        RealtimeJson.Configure(options);
        options.TypeInfoResolverChain.Add(new System.Text.Json.Serialization.Metadata.DefaultJsonTypeInfoResolver());
        return options;
    }

    private static JsonObject CopyOf(ConcurrentDictionary<string, JsonNode> outcomes) =>
        new(outcomes.Select(outcome => KeyValuePair.Create<string, JsonNode?>(outcome.Key, outcome.Value.DeepClone())));

    private static JsonArray ArrayOf(IEnumerable<JsonNode?> nodes) => [.. nodes.Select(node => node?.DeepClone())];

    /// <summary>A client, and what it has gone through.</summary>
    private sealed class Known(string[] tokens)
    {
        private readonly ConcurrentQueue<string> _states = new();
        private int _asked;
        private int _renewed;

        public RealtimeClient Client { get; set; } = null!;

        public SigningKeys Keys { get; set; } = null!;

        public EventSigner? Signer { get; set; }

        /// <summary>The topics that a backend has subscribed it to.</summary>
        public ConcurrentQueue<string> Subscribed { get; } = new();

        public string Token(bool renew)
        {
            _renewed += renew ? 1 : 0;
            return tokens[Math.Min(_asked++, tokens.Length - 1)];
        }

        public void Enter(ConnectionState state)
        {
            if (_states.LastOrDefault() != NameOf(state))
            {
                _states.Enqueue(NameOf(state));
            }
        }

        public JsonObject Look() => new()
        {
            ["state"] = NameOf(Client.State),
            ["reason"] = Client.State.Reason?.Code,
            ["transport"] = Client.Transport is { } transport ? JsonNamingPolicy.CamelCase.ConvertName(transport.ToString()) : null,
            ["waiting"] = Client.Waiting,
            ["states"] = ArrayOf(_states.Select(state => (JsonNode?)state)),
            ["tokens"] = new JsonObject { ["asked"] = _asked, ["renewed"] = _renewed },
            ["subscribed"] = ArrayOf(Subscribed.Select(topic => (JsonNode?)topic)),
        };

        private static string NameOf(ConnectionState state) => JsonNamingPolicy.CamelCase.ConvertName(state.Status.ToString());
    }

    /// <summary>What a subscription has brought.</summary>
    private sealed class Heard
    {
        public TopicSubscription? Subscription { get; set; }

        public ConcurrentQueue<JsonNode?> Payloads { get; } = new();

        public ConcurrentQueue<JsonNode?> Recoveries { get; } = new();

        public ConcurrentQueue<JsonNode?> Lost { get; } = new();

        public ConcurrentQueue<string?> Traces { get; } = new();

        /// <summary>What became of the signature of each.</summary>
        public ConcurrentQueue<string> Signatures { get; } = new();

        public JsonObject Look()
        {
            var look = new JsonObject
            {
                ["signatures"] = ArrayOf(Signatures.Select(status => (JsonNode?)status)),
                ["payloads"] = ArrayOf(Payloads),
                ["recoveries"] = ArrayOf(Recoveries),
                ["lost"] = ArrayOf(Lost),
                ["traces"] = ArrayOf(Traces.Select(trace => (JsonNode?)trace)),
                ["position"] = JsonSerializer.SerializeToNode(Subscription?.Position, Json),
            };
            if (Subscription is { Ended.IsCompleted: true } ended)
            {
                look["ended"] = ended.Ended.Result?.Code;
            }

            return look;
        }
    }

    /// <summary>What a handler of calls has been asked.</summary>
    private sealed class Handled
    {
        public CallHandling? Handling { get; set; }

        public ConcurrentQueue<JsonNode?> Payloads { get; } = new();

        public ConcurrentQueue<string> From { get; } = new();

        public ConcurrentQueue<string?> Traces { get; } = new();

        public JsonObject Look()
        {
            var look = new JsonObject
            {
                ["payloads"] = ArrayOf(Payloads),
                ["from"] = ArrayOf(From.Select(user => (JsonNode?)user)),
                ["traces"] = ArrayOf(Traces.Select(trace => (JsonNode?)trace)),
            };
            if (Handling is { Ended.IsCompleted: true } ended)
            {
                look["ended"] = ended.Ended.Result?.Code;
            }

            return look;
        }
    }
}
