using System.Globalization;
using System.Text;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Fuzzing;

/// <summary>Makes what clients may send: right, nearly right, wrong, cut off, and noise. The same seed makes the same.</summary>
internal sealed class FuzzMill(int seed)
{
    private static readonly string[] Topics = ["\"fuzz:a\"", "\"fuzz:b\"", "\"fuzz:c\"", "\"fuzz:d\"", "\"fuzz:a b\"", "\"nothing:a\"", "\"fuzz:\"", "\"a:b:c\"", "\"fuzz:\\ud800\"", "\"fuzz:\\u0000\""];
    private static readonly string[] Events = ["\"app:order\"", "\"app:strict\"", "\"app:tree\"", "\"app:x\"", "\"app:y\"", "\"server:only\"", "\"7\"", "\"app:\\ud800\"", "\"\""];
    private static readonly string[] Numbers = ["0", "1", "2", "-1", "1.0", "1e2", "1e400", "-1e400", "2147483648", "9223372036854775808", "18446744073709551616", "0.1", "1e-400"];

    private static readonly string[] Payloads =
    [
        """{"text":"x","lines":[{"name":"a","amount":1.5}],"side":"Sell"}""", """{"text":"x","lines":[]}""", """{"text":"x","lines":[{"name":"a","amount":0}]}""",
        """{"name":"a","children":[{"name":"b","children":[]}]}""", """{"on":true,"sign":"+"}""", """{"on":true,"sign":"+","more":1}""",
        """{"text":"x","text":"y","lines":[]}""", """{"text":"\u0000","lines":[]}""", "\"hi\"", "null", "[]",
    ];

    private static readonly string[] Methods =
        ["Publish", "Publish", "Publish", "PublishBatch", "Subscribe", "SubscribeMany", "Unsubscribe", "History", "Acknowledge", "Call", "Handle", "Unhandle", "Reply", "Receipts", "Refresh", "SetPresence", "ListPresence"];

    private static readonly string[] NoMethods = ["Nothing", "", "publish", "OnConnectedAsync", "Dispose", "__proto__", "Publish ", "\\ud800", "\\u0000"];

    private readonly Random _random = new(seed);

    public int Next(int below) => _random.Next(below);

    public T One<T>(params T[] of) => of[_random.Next(of.Length)];

    public bool Rarely(int oneIn) => _random.Next(oneIn) == 0;

    public byte[] Noise(int most)
    {
        var noise = new byte[_random.Next(most)];
        _random.NextBytes(noise);
        return noise;
    }

    /// <summary>Changes some bytes, or takes some out, or puts some in.</summary>
    public byte[] Mutate(byte[] bytes)
    {
        var mutated = new List<byte>(bytes);
        for (var times = 1 + _random.Next(3); times > 0 && mutated.Count > 0; times--)
        {
            var at = _random.Next(mutated.Count);
            switch (_random.Next(5))
            {
                case 0:
                    mutated[at] ^= (byte)(1 << _random.Next(8));
                    break;
                case 1:
                    mutated[at] = (byte)_random.Next(256);
                    break;
                case 2:
                    mutated.RemoveRange(at, Math.Min(1 + _random.Next(4), mutated.Count - at));
                    break;
                case 3:
                    mutated.InsertRange(at, mutated.GetRange(at, Math.Min(1 + _random.Next(8), mutated.Count - at)));
                    break;
                default:
                    mutated.Insert(at, One<byte>((byte)'"', (byte)'{', (byte)'}', (byte)'[', (byte)',', (byte)'\\', 0, 0xff, 0xc0, 0x80));
                    break;
            }
        }

        return [.. mutated];
    }

    /// <summary>A hub's message in JSON, mostly an invocation.</summary>
    public string Message(string id)
    {
        var type = Rarely(25) ? One("0", "2", "3", "4", "5", "6", "8", "99", "\"1\"", "null", "1.0", "1e400") : "1";
        var method = Rarely(15) ? One(NoMethods) : One(Methods);
        List<string> members =
        [
            $"\"type\":{type}",
            $"\"invocationId\":{(Rarely(30) ? Junk() : $"\"{id}\"")}",
            $"\"target\":{(Rarely(40) ? Junk() : $"\"{method}\"")}",
            $"\"arguments\":{(Rarely(25) ? Junk() : $"[{(Rarely(25) ? One("", $"{Argument(method)},{Argument(method)}") : Argument(method))}]")}",
        ];
        if (Rarely(20))
        {
            members.Add(One("\"streamIds\":[\"1\"]", "\"streamIds\":7", "\"headers\":{\"a\":\"b\"}", "\"headers\":[]", $"\"type\":{Junk()}", "\"arguments\":[]", $"\"{Text()}\":{Junk()}"));
        }

        if (Rarely(20))
        {
            members.RemoveAt(_random.Next(members.Count));
        }

        if (Rarely(4))
        {
            // Parts of a message may come in any order.
            _random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(members));
        }

        return $"{{{string.Join(',', members)}}}";
    }

    /// <summary>What a method takes, or nearly.</summary>
    public string Argument(string method)
    {
        if (Rarely(15))
        {
            return Junk();
        }

        return method switch
        {
            "PublishBatch" => Several(Publish),
            "Subscribe" => Subscribe(),
            "SubscribeMany" => Several(Subscribe),
            "Unsubscribe" => Topic(),
            "History" => Object(("topic", Topic()), ("after", Position()), ("before", Rarely(4) ? Position() : ""), ("limit", Number())),
            // Without a database it waits for one: rarely, or nothing else would be done.
            "Acknowledge" => Object(("topic", Topic()), ("position", Rarely(20) ? Position() : Junk()), ("consumer", Rarely(20) ? "\"phone-1\"" : One("\"\"", "\"a b\"", "7"))),
            "Call" => Object(("topic", Topic()), ("method", Method()), ("payload", Payload()), ("timeoutMs", One("1", "5", "0", "-1", "60001", "1e400", "\"1\""))),
            "Handle" or "Unhandle" => Object(("topic", Topic()), ("method", Method())),
            "Reply" => Object(("callId", One("\"nobody's\"", "7", "null")), ("payload", Payload()), ("error", Rarely(2) ? One("{\"code\":\"app_x\",\"message\":\"x\"}", "{\"code\":\"internal\"}", "7", "\"x\"") : "")),
            "Receipts" => Several(() => Object(("topic", Topic()), ("timestamp", One("\"2026-11-21T05:27:00.123Z\"", "\"now\"", "7", "\"9999-12-31T23:59:59.999Z\"", "\"0001-01-01T00:00:00Z\"")), ("delayMs", Number()), ("trace_id", Trace()))),
            "SetPresence" => Object(
                ("status", One("\"online\"", "\"away\"", "\"dnd\"", "\"\"", "7")), ("text", One("\"\"", $"\"{Text()}\"", "\"\\u0000\"", "7")), ("active", One("true", "false", "7")),
                ("data", Rarely(2) ? Payload() : ""), ("topic", Rarely(2) ? Topic() : "")),
            "ListPresence" => Object(("topic", Topic()), ("after", Rarely(2) ? One($"\"{Text()}\"", "\"\\u0000\"", "7") : ""), ("limit", Number())),
            "Refresh" => One("\"\"", "\"a.b.c\"", "\"eyJhbGciOiJub25lIn0.e30.\"", "null", "{}", $"\"{new string('a', 5_000)}\""),
            _ => Publish(),
        };
    }

    public string Several(Func<string> one) => $"[{string.Join(',', Enumerable.Range(0, Rarely(50) ? 60 : _random.Next(4)).Select(_ => Rarely(20) ? Junk() : one()))}]";

    public string Publish() => Object(
        ("topic", Topic()), ("event", Rarely(3) ? One(Events) : One("\"app:order\"", "\"app:x\"")), ("payload", Payload()), ("id", Rarely(4) ? One("\"one\"", "\"two\"", "\"a b\"", "\"\"", "7", "\"\\u0000\"") : ""),
        ("entityId", Rarely(4) ? One("\"m1\"", "\"\"", "\"\\u0000\"", "7") : ""), ("v", Rarely(4) ? Number() : ""), ("trace_id", Rarely(8) ? Trace() : ""),
        ("signature", Rarely(10) ? Signature() : ""));

    public string Subscribe() => Object(
        ("topic", Topic()), ("position", Rarely(3) ? Position() : ""), ("rewind", Rarely(4) ? One("{\"count\":2}", "{\"count\":-1}", "{\"count\":1e400}", "{\"since\":\"2026-11-21T05:00:00Z\"}", "{\"since\":\"x\"}", "{}", "[]") : ""),
        ("from", Rarely(30) ? One("\"cursor\"", "\"x\"") : ""), ("qos", Rarely(4) ? One("{\"mode\":\"latest\"}", "{\"mode\":\"conflate\",\"intervalMs\":10}", "{\"mode\":\"conflate\",\"intervalMs\":1e9}", "{\"mode\":7}", "{\"mode\":\"x\"}") : ""),
        ("ephemeral", Rarely(6) ? One("true", "false", "7") : ""), ("presence", Rarely(10) ? One("\"none\"", "\"members\"", "7") : ""));

    private string Signature() => Object(
        ("keyId", One("\"k\"", $"\"{new string('A', 43)}\"", "\"\"", "null", "7")), ("value", One($"\"{new string('A', 86)}\"", "\"=\"", "\"\"", "null", "7", "\"\\ud800\"")),
        ("signedAt", One("\"2026-11-21T05:27:00.100Z\"", "\"0001-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59.999-14:00\"", "\"x\"", "7", "null", "")));

    public string Payload() => _random.Next(4) switch
    {
        0 => RandomPayload.Make(_random),
        1 when Rarely(20) => $"\"{new string('x', 70_000)}\"",
        1 when Rarely(10) => string.Concat(Enumerable.Repeat("[", 40)) + string.Concat(Enumerable.Repeat("]", 40)),
        1 when Rarely(10) => $"{{{string.Join(',', Enumerable.Range(0, 1_100).Select(i => $"\"m{i}\":0"))}}}",
        _ => One(Payloads),
    };

    public string Topic() => Rarely(4) ? One(Topics) : One("\"fuzz:a\"", "\"fuzz:b\"");

    public string Junk() => Rarely(30)
        ? string.Concat(Enumerable.Repeat("{\"a\":[", 40)) + string.Concat(Enumerable.Repeat("]}", 40))
        : One(RandomPayload.Make(_random), Number(), "null", "[]", "{}", "\"\"", "true", $"\"{Text()}\"");

    private string Method() => One("\"add\"", "\"add\"", "\"a b\"", "\"\"", "7");

    private string Number() => One(Numbers);

    private string Trace() => One("\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"", "\"00-0-0-00\"", "\"\"", "7");

    private string Position() => One("{\"epoch\":\"\",\"offset\":0}", "{\"epoch\":\"x7Qa\",\"offset\":17}", "{\"epoch\":\"\",\"offset\":-1}", "{\"offset\":1e400,\"epoch\":\"x\"}", "{\"epoch\":7,\"offset\":\"x\"}", "{}", "\"x7Qa:17\"", "{\"epoch\":\"x\",\"offset\":9223372036854775807}");

    private string Text() => One("a", "é😀", "\\u0041", "\\ud83d", "__proto__", new string('z', 300));

    private string Object(params (string Name, string Value)[] members)
    {
        var text = new StringBuilder("{");
        foreach (var (name, value) in members)
        {
            if (value.Length == 0 || Rarely(25))
            {
                continue;
            }

            text.Append(text.Length > 1 ? "," : "").Append(CultureInfo.InvariantCulture, $"\"{name}\":{(Rarely(25) ? Junk() : value)}");
            if (Rarely(40))
            {
                text.Append(CultureInfo.InvariantCulture, $",\"{name}\":{Junk()}");
            }
        }

        return text.Append('}').ToString();
    }
}
