using System.Text.Json;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>The types that a schema knows.</summary>
[Flags]
internal enum JsonKinds
{
    None = 0,
    Null = 1,
    Boolean = 2,
    Integer = 4,
    Number = 8,
    String = 16,
    Array = 32,
    Object = 64,
    Any = Null | Boolean | Integer | Number | String | Array | Object,
}

internal static class JsonKind
{
    private static readonly JsonKinds[] Each = [.. Enum.GetValues<JsonKinds>().Where(kind => kind is not (JsonKinds.None or JsonKinds.Any))];

    public static JsonKinds Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => JsonKinds.Null,
        JsonValueKind.True or JsonValueKind.False => JsonKinds.Boolean,
        JsonValueKind.String => JsonKinds.String,
        JsonValueKind.Array => JsonKinds.Array,
        JsonValueKind.Object => JsonKinds.Object,
        // 1.0 and 1e2 are integers: most languages cannot tell.
        JsonValueKind.Number => value.TryGetInt64(out _) || double.IsInteger(value.GetDouble()) ? JsonKinds.Integer | JsonKinds.Number : JsonKinds.Number,
        _ => JsonKinds.None,
    };

    /// <summary>The type of a name in a schema; none where there is no such type.</summary>
    public static JsonKinds Find(string? name) => Array.Find(Each, kind => NameOf(kind) == name);

    /// <summary>For people: <c>a string or null</c>.</summary>
    public static string NamesOf(JsonKinds kinds) => kinds switch
    {
        JsonKinds.None => "anything that is allowed",
        JsonKinds.Any => "anything",
        _ => string.Join(" or ", Each.Where(kind => kinds.HasFlag(kind)).Select(WithArticle)),
    };

    private static string NameOf(JsonKinds kind) => kind.ToString().ToLowerInvariant();

    private static string WithArticle(JsonKinds kind) => kind switch
    {
        JsonKinds.Null => "null",
        JsonKinds.Integer or JsonKinds.Array or JsonKinds.Object => $"an {NameOf(kind)}",
        _ => $"a {NameOf(kind)}",
    };
}
