using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Fuzzing;

/// <summary>
/// Sends a node what its OpenAPI document says that it takes, nearly that, and what it does not, to each address and method there is, and looks at
/// each answer. What an answer names (ids, cursors) is asked for again.
/// </summary>
internal sealed class DocumentFuzzer(HttpClient http, Func<AuthenticationHeaderValue> identity, FuzzMill mill)
{
    /// <summary>What is asked of one identity until it gets a new token: the old one may be revoked meanwhile.</summary>
    private const int TokenInputs = 100;

    /// <summary>How many values of a name are remembered.</summary>
    private const int Remembered = 40;

    private static readonly string[] Hostile =
    [
        "", "\0", "a\0b", "a b", "%", "..", "../../x", "'; drop table x; --", "\\", "\u202egnp", "é😀", "__proto__", "-1", "0", "1e3", "99999999999999999999", "x7Qa:17", "null", "true", "*", "system:keys", "\ufffd", "\u0007",
    ];

    private readonly List<Operation> _operations = [];
    private readonly Dictionary<string, string> _findings = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _seen = new(StringComparer.Ordinal);
    private JsonElement _schemas;

    public int Inputs { get; private set; }

    public int Refused { get; private set; }

    public int Answered { get; private set; }

    /// <summary>What was answered without a code, or as a fault of the node's: the first of each address and status.</summary>
    public IReadOnlyDictionary<string, string> Findings => _findings;

    /// <summary>Addresses, with their methods, that have not yet done what they were asked to.</summary>
    public IEnumerable<string> NeverDone => _operations.Where(operation => operation.Done == 0).Select(operation => $"{operation}");

    public async Task RunAsync(int count)
    {
        var document = await http.GetFromJsonAsync<JsonElement>("/openapi/v1.json", TestContext.Current.CancellationToken);
        _schemas = document.GetProperty("components").GetProperty("schemas");
        _operations.AddRange(
            from path in document.GetProperty("paths").EnumerateObject()
            from operation in path.Value.EnumerateObject()
            select new Operation(operation.Name.ToUpperInvariant(), path.Name, operation.Value));
        var token = identity();
        var before = "";
        while (Inputs < count)
        {
            if (Inputs % TokenInputs == 0)
            {
                token = identity();
            }

            var operation = mill.One([.. _operations]);
            using var request = Request(operation);
            request.Headers.Authorization = mill.Rarely(40) ? null : token;
            Inputs++;
            try
            {
                using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
                await JudgeAsync(operation, request, response);
            }
            catch (HttpRequestException exception)
            {
                // The one before it on the connection may be the reason.
                _findings.TryAdd($"{operation}: no answer", $"{request.RequestUri} after {before}: {exception}");
            }

            before = $"{request.Method} {request.RequestUri} with {request.Content?.Headers.ContentLength ?? 0} bytes of {request.Content?.Headers.ContentType}";
        }
    }

    private async Task JudgeAsync(Operation operation, HttpRequestMessage request, HttpResponseMessage response)
    {
        if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
        {
            // It would go on.
            operation.Done++;
            return;
        }

        var status = (int)response.StatusCode;
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        if (status < 400)
        {
            (Answered, operation.Done) = (Answered + 1, operation.Done + 1);
            if (response.Content.Headers.ContentType?.MediaType == "application/json" && text.Length > 0)
            {
                using var answer = JsonDocument.Parse(text);
                Remember("", answer.RootElement);
            }

            return;
        }

        Refused++;
        if (!IsRefusal(operation, request, status, text))
        {
            _findings.TryAdd($"{operation}: {status}", $"{request.RequestUri} {(request.Content is null ? "" : await request.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))}: {text}");
        }
    }

    private static bool IsRefusal(Operation operation, HttpRequestMessage request, int status, string text)
    {
        if (text.Length == 0)
        {
            // Neither an address that is too long nor a path with %00 in it comes past Kestrel, which answers without a body.
            var isKestrels = status == 414 || (status == 400 && request.RequestUri!.OriginalString.Contains("%00", StringComparison.Ordinal));
            return isKestrels || (request.Method == HttpMethod.Head && status < 500);
        }

        using var problem = JsonDocument.Parse(text);
        // Nobody answers calls here.
        return problem.RootElement.TryGetProperty("code", out var code) && ErrorCode.TryFind(code.GetString()!, out var known) && known != ErrorCode.Internal
            && (status < 500 || operation.Path.Contains("/calls/", StringComparison.Ordinal));
    }

    private HttpRequestMessage Request(Operation operation)
    {
        var path = operation.Path;
        var query = new List<string>();
        var headers = new List<(string Name, string Value)>();
        foreach (var parameter in operation.Parameters)
        {
            var name = parameter.GetProperty("name").GetString()!;
            switch (parameter.GetProperty("in").GetString())
            {
                case "path":
                    path = path.Replace($"{{{name}}}", Escape(Parameter(name)), StringComparison.Ordinal);
                    break;
                case "query" when mill.Rarely(3):
                    query.Add($"{name}={Escape(Parameter(name))}");
                    break;
                case "header" when mill.Rarely(6):
                    headers.Add((name, mill.One("k", "", "a b", new string('k', 200), "\"x\"", "*", "0=:0")));
                    break;
                default:
                    break;
            }
        }

        var request = new HttpRequestMessage(new HttpMethod(operation.Method), query.Count == 0 ? path : $"{path}?{string.Join('&', query)}") { Content = Content(operation) };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    private ByteArrayContent? Content(Operation operation)
    {
        if (operation.Method is "GET" or "HEAD")
        {
            return null;
        }

        if (operation.Body is not { } schema)
        {
            return operation.Path.EndsWith("/attachments", StringComparison.Ordinal) ? new ByteArrayContent(mill.Rarely(2) ? mill.Noise(400) : Encoding.UTF8.GetBytes(mill.One("text", "%PDF-1.7\n", "GIF89a\u0001"))) : null;
        }

        var body = Encoding.UTF8.GetBytes(Value("", schema, 0));
        var content = new ByteArrayContent(mill.Rarely(12) ? mill.Mutate(body) : mill.Rarely(50) ? mill.Noise(100) : body);
        content.Headers.TryAddWithoutValidation("Content-Type", mill.Rarely(30) ? mill.One("text/plain", "application/json; charset=utf-16", "", "json", "multipart/form-data") : "application/json");
        return content;
    }

    /// <summary>What stands at a place of an address.</summary>
    private string Parameter(string name) => mill.Rarely(8) ? mill.One([.. Hostile, new string('9', 5_000), new string('a', 129)]) : name switch
    {
        "topic" => mill.One("room:a", "room:a", "room:b", "game:a", "user:bob", "nothing:a"),
        "room" => mill.One("a", "a", "b", "c"),
        "user" => mill.One("bob", "eve", "joe"),
        "tenant" => mill.One("acme", "other"),
        "limit" => mill.One("1", "2", "200", "0", "201", "-1", "x"),
        // Nothing may make it wait.
        "wait" => mill.One("0", "-1", "x", "56"),
        "at" => mill.One("2026-11-21T05:27:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "now", "2026-11-21"),
        "q" => mill.One("text", "\"a b\" or -c", "'", "& | !", ":*", "()", "\"", "é😀", new string('x', 1_000), "-a", "<->"),
        "unread" or "resolved" or "reconnect" => mill.One("true", "false", "x"),
        "timeoutMs" => mill.One("1", "5", "0", "x"),
        "presence" => mill.One("members", "occupancy", "none", "x"),
        "after" or "before" or "around" => mill.Rarely(2) ? Seen("next", "id") : mill.One("1", "3", "0", "99", "x7Qa:1", "ada", "MQ"),
        "id" or "report" or "delivery" or "connection" or "keyId" => mill.Rarely(2) ? Seen(name, "id") : mill.One("1", "2", "3", "7"),
        _ => mill.One("x", "phone-1", "add"),
    };

    /// <summary>A value of the schema, or nearly, in JSON.</summary>
    private string Value(string name, JsonElement schema, int depth)
    {
        if (mill.Rarely(25) || depth > 8)
        {
            return mill.Junk();
        }

        if (schema.TryGetProperty("$ref", out var reference))
        {
            return Value(name, _schemas.GetProperty(reference.GetString()!.Split('/')[^1]), depth + 1);
        }

        if (schema.TryGetProperty("oneOf", out var several))
        {
            return Value(name, several[mill.Next(several.GetArrayLength())], depth + 1);
        }

        if (schema.TryGetProperty("enum", out var values))
        {
            return values[mill.Next(values.GetArrayLength())].GetRawText();
        }

        return TypeOf(schema) switch
        {
            "object" => Object(schema, depth),
            "array" => $"[{string.Join(',', Enumerable.Range(0, mill.Rarely(30) ? 120 : mill.Next(4)).Select(_ => Value(name, schema.TryGetProperty("items", out var item) ? item : default, depth + 1)))}]",
            "integer" => mill.One("0", "1", "2", "30", "-1", "2147483648", "9223372036854775807", "1.5", "1e400"),
            "boolean" => mill.One("true", "false"),
            "string" => JsonSerializer.Serialize(Text(name)),
            _ when schema.TryGetProperty("format", out _) => mill.One("\"2026-12-21T05:27:00Z\"", "\"0001-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59.999-14:00\"", "\"x\""),
            _ => name == "payload" ? Payload() : mill.Payload(),
        };
    }

    private string Object(JsonElement schema, int depth)
    {
        var members = new List<string>();
        if (schema.TryGetProperty("properties", out var properties))
        {
            // All of them, some of them, or one.
            var among = properties.EnumerateObject().ToArray();
            members.AddRange((mill.Rarely(4) ? [mill.One(among)] : among.Where(_ => mill.Rarely(3) is false)).Select(property => $"\"{property.Name}\":{Value(property.Name, property.Value, depth + 1)}"));
        }

        if (schema.TryGetProperty("additionalProperties", out var more) && more.ValueKind == JsonValueKind.Object)
        {
            members.Add($"{JsonSerializer.Serialize(Text("kind"))}:{Value("", more, depth + 1)}");
        }

        if (mill.Rarely(30))
        {
            members.Add($"{JsonSerializer.Serialize(mill.One(Hostile))}:{mill.Junk()}");
        }

        return $"{{{string.Join(',', members)}}}";
    }

    /// <summary>What stands in a body below a name.</summary>
    private string Text(string name) => mill.Rarely(8) ? mill.One([.. Hostile, new string('z', 5_000)]) : name switch
    {
        "topic" or "topics" => mill.One("room:a", "room:b", "game:a", "user:bob"),
        "user" or "users" or "members" or "mentions" => mill.One("bob", "eve", "joe"),
        "event" => mill.One("chat:message", "chat:message", "chat:message", "chat:edit", "chat:reaction", "chat:pin", "chat:delete", "chat:read", "app:x"),
        "entityId" or "id" or "replyTo" or "thread" => mill.One("1", "2", "3", "7", Seen("id")),
        "kind" => mill.One("public", "private", "group", "mention", "system", "badge"),
        "role" => mill.One("owner", "admin", "member", "guest"),
        "operations" => mill.One("publish", "subscribe", "history", "manage", "*"),
        "status" => mill.One("online", "away", "dnd"),
        "link" => mill.One("/rooms/a", "https://example.test/", "javascript:alert(1)", "//x"),
        "endpoint" => "https://push.example.test/x",
        "email" => mill.One("bob@example.test", "x"),
        "from" => mill.One("22:00", "25:00"),
        "to" => mill.One("07:00", ""),
        "timeZone" => mill.One("Europe/Berlin", "Nowhere/Land"),
        "resolution" => mill.One("dismissed", "removed"),
        _ => mill.One("x", "some text", "é😀", "a\nb"),
    };

    private string Payload() => mill.Rarely(6) ? mill.Payload() : mill.One(
        "{\"text\":\"some text\"}", "{\"text\":\"hi\",\"thread\":\"1\"}", "{\"text\":\"hi\",\"replyTo\":\"2\",\"mentions\":[\"bob\"]}", "{\"text\":\"\\u0000\"}", "{\"text\":\"\"}", "{\"emoji\":\"👍\",\"on\":true}", "{\"emoji\":\"\\u0000\",\"on\":true}",
        "{\"on\":true}", "{\"on\":false}", "{}", "{\"text\":\"x\",\"attachments\":[\"1\"]}", "{\"text\":\"x\",\"mentions\":[\"\\u0000\"]}", "{\"text\":\"x\",\"replyTo\":\"99999999999999999999\"}");

    /// <summary>A value that an answer had below one of these names.</summary>
    private string Seen(params string[] names)
    {
        foreach (var name in names)
        {
            if (_seen.TryGetValue(name, out var values))
            {
                return mill.One([.. values]);
            }
        }

        return "1";
    }

    private void Remember(string name, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject())
                {
                    Remember(member.Name, member.Value);
                }

                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray().Take(3))
                {
                    Remember(name, item);
                }

                break;
            case JsonValueKind.String or JsonValueKind.Number when name is "id" or "next" or "keyId" or "connection" or "delivery" or "report":
                var values = _seen.TryGetValue(name, out var seen) ? seen : _seen[name] = [];
                if (values.Count == Remembered)
                {
                    values.RemoveAt(mill.Next(Remembered));
                }

                values.Add(value.ToString());
                break;
            default:
                break;
        }
    }

    private static string? TypeOf(JsonElement schema) => schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("type", out var type) ? null
        : type.ValueKind == JsonValueKind.String ? type.GetString()
        : type.EnumerateArray().Select(one => one.GetString()).FirstOrDefault(one => one != "null");

    private string Escape(string value) => mill.Rarely(60) ? mill.One("%ff", "%00", "%ed%a0%80", "%", "%zz") : Uri.EscapeDataString(value);

    private sealed class Operation(string method, string path, JsonElement described)
    {
        public string Method => method;

        public string Path => path;

        public int Done { get; set; }

        public IReadOnlyList<JsonElement> Parameters { get; } = described.TryGetProperty("parameters", out var parameters) ? [.. parameters.EnumerateArray()] : [];

        public JsonElement? Body { get; } = described.TryGetProperty("requestBody", out var body) ? body.GetProperty("content").GetProperty("application/json").GetProperty("schema") : null;

        public override string ToString() => $"{Method} {Path}";
    }
}
