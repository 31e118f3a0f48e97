using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>
/// What a schema says about one value, made ready to check many. It knows what <see cref="PayloadSchema"/> emits and refuses to be
/// made from anything else, so that no word of a schema goes unchecked. Nothing is allocated for a payload that is right.
/// </summary>
internal sealed class PayloadCheck
{
    private static readonly string[] Annotations = ["description", "default", "format", "title"];

    private readonly string _path;
    private Kinds _kinds = Kinds.Any;
    private readonly List<Member> _members = [];
    private PayloadCheck? _others;
    private bool _isClosed;
    private PayloadCheck? _items;
    private JsonElement[]? _constants;
    private PayloadCheck[]? _forms;
    private Bounds _length = Bounds.None;
    private Bounds _count = Bounds.None;
    private Bounds _number = Bounds.None;

    private PayloadCheck(string path) => _path = path;

    [Flags]
    private enum Kinds
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

    /// <exception cref="NotSupportedException">The schema has a word that is not known here.</exception>
    public static PayloadCheck Compile(JsonNode schema) => Compile(schema, "", "#", []);

    /// <summary>What is wrong with an untrusted value; null when nothing is.</summary>
    public string? Refuse(JsonElement value)
    {
        if ((_kinds & KindsOf(value)) == Kinds.None)
        {
            return $"{Here} is not {string.Join(" or ", Names())}.";
        }

        if (!IsConstant(value))
        {
            return $"{Here} is not {string.Join(" or ", _constants!.Select(constant => constant.GetRawText()))}.";
        }

        var wrong = value.ValueKind switch
        {
            JsonValueKind.String => RefuseText(value),
            JsonValueKind.Number => _number.Allow(value) ? null : $"{Here} is {_number}.",
            JsonValueKind.Array => RefuseItems(value),
            JsonValueKind.Object => RefuseMembers(value),
            _ => null,
        };
        return wrong ?? (HasForm(value) ? null : $"{Here} has none of the forms that it may have.");
    }

    private string Here => _path.Length == 0 ? "The payload" : _path;

    private IEnumerable<string> Names() => Enum.GetValues<Kinds>().Where(kind => kind is not (Kinds.None or Kinds.Any) && _kinds.HasFlag(kind)).Select(NameOf);

    private bool IsConstant(JsonElement value)
    {
        foreach (var constant in _constants ?? [])
        {
            if (JsonElement.DeepEquals(constant, value))
            {
                return true;
            }
        }

        return _constants is null;
    }

    private bool HasForm(JsonElement value)
    {
        foreach (var form in _forms ?? [])
        {
            if (form.Refuse(value) is null)
            {
                return true;
            }
        }

        return _forms is null;
    }

    private string? RefuseText(JsonElement value)
    {
        if (LengthOf(value) is not { } length)
        {
            return $"{Here} is no text: it has half of a surrogate pair.";
        }

        return _length.Allow(length) ? null : $"{Here} has {_length} characters.";
    }

    private string? RefuseItems(JsonElement value)
    {
        if (!_count.Allow(value.GetArrayLength()))
        {
            return $"{Here} has {_count} items.";
        }

        if (_items is not null)
        {
            foreach (var item in value.EnumerateArray())
            {
                if (_items.Refuse(item) is { } wrong)
                {
                    return wrong;
                }
            }
        }

        return null;
    }

    private string? RefuseMembers(JsonElement value)
    {
        foreach (var member in _members)
        {
            if (!value.TryGetProperty(member.Name, out var found))
            {
                if (member.IsRequired)
                {
                    return $"{PathOf(_path, member.Text)} is missing.";
                }
            }
            else if (member.Check?.Refuse(found) is { } wrong)
            {
                return wrong;
            }
        }

        if (_isClosed || _others is not null)
        {
            foreach (var property in value.EnumerateObject())
            {
                if (IsMember(property))
                {
                    continue;
                }

                if (_isClosed)
                {
                    return $"{Here} has a member that is not known.";
                }

                if (_others!.Refuse(property.Value) is { } wrong)
                {
                    return wrong;
                }
            }
        }

        return null;
    }

    private bool IsMember(JsonProperty property)
    {
        foreach (var member in _members)
        {
            if (member.Check is not null && property.NameEquals(member.Name))
            {
                return true;
            }
        }

        return false;
    }

    private static Kinds KindsOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => Kinds.Null,
        JsonValueKind.True or JsonValueKind.False => Kinds.Boolean,
        JsonValueKind.String => Kinds.String,
        JsonValueKind.Array => Kinds.Array,
        JsonValueKind.Object => Kinds.Object,
        // 1.0 and 1e2 are integers: most languages cannot tell.
        JsonValueKind.Number => value.TryGetInt64(out _) || double.IsInteger(value.GetDouble()) ? Kinds.Integer | Kinds.Number : Kinds.Number,
        _ => Kinds.None,
    };

    private static string NameOf(Kinds kind) => kind switch
    {
        Kinds.Null => "null",
        Kinds.Integer or Kinds.Array or Kinds.Object => $"an {kind.ToString().ToLowerInvariant()}",
        _ => $"a {kind.ToString().ToLowerInvariant()}",
    };

    /// <summary>In characters, as JSON Schema counts them: a surrogate pair is one. Null: it is no text.</summary>
    private static int? LengthOf(JsonElement text)
    {
        var raw = JsonMarshal.GetRawUtf8Value(text)[1..^1];
        if (!raw.Contains((byte)'\\'))
        {
            var length = raw.Length;
            foreach (var one in raw)
            {
                length -= (one & 0xC0) == 0x80 ? 1 : 0;
            }

            return length;
        }

        try
        {
            return text.GetString()!.EnumerateRunes().Count();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static PayloadCheck Compile(JsonNode? schema, string path, string pointer, Dictionary<string, PayloadCheck> compiled)
    {
        if (schema is JsonObject { Count: 1 } reference && (string?)reference["$ref"] is { } target)
        {
            return compiled.TryGetValue(target, out var known) ? known : throw new NotSupportedException($"The schema refers to {target}, which does not hold this place.");
        }

        var check = compiled[pointer] = new PayloadCheck(path);
        if (schema is JsonObject words)
        {
            foreach (var (word, says) in words)
            {
                check.Learn(word, says!, pointer, compiled);
            }
        }
        else if (schema?.GetValueKind() is not JsonValueKind.True)
        {
            check._kinds = Kinds.None;
        }

        return check;
    }

    private void Learn(string word, JsonNode says, string pointer, Dictionary<string, PayloadCheck> compiled)
    {
        switch (word)
        {
            case "type":
                _kinds = says is JsonArray kinds ? kinds.Aggregate(Kinds.None, (all, kind) => all | KindOf(kind)) : KindOf(says);
                break;
            case "properties":
                foreach (var (name, schema) in says.AsObject())
                {
                    MemberOf(name).Check = Compile(schema, PathOf(_path, name), $"{pointer}/properties/{Escape(name)}", compiled);
                }

                break;
            case "required":
                foreach (var name in says.AsArray())
                {
                    MemberOf((string)name!).IsRequired = true;
                }

                break;
            case "additionalProperties" when says.GetValueKind() is JsonValueKind.False:
                _isClosed = true;
                break;
            case "additionalProperties":
                _others = Compile(says, $"{_path}{{}}", $"{pointer}/additionalProperties", compiled);
                break;
            case "items":
                _items = Compile(says, $"{_path}[]", $"{pointer}/items", compiled);
                break;
            case "enum":
                _constants = [.. says.AsArray().Select(ToElement)];
                break;
            case "const":
                _constants = [ToElement(says)];
                break;
            case "anyOf":
                _forms = [.. says.AsArray().Select((form, i) => Compile(form, _path, $"{pointer}/anyOf/{i}", compiled))];
                break;
            case "minLength" or "maxLength":
                _length = _length.With(word, (double)says);
                break;
            case "minItems" or "maxItems":
                _count = _count.With(word, (double)says);
                break;
            case "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum":
                _number = _number.With(word, (double)says);
                break;
            default:
                if (!Annotations.Contains(word))
                {
                    throw new NotSupportedException($"The schema says “{word}”, which is not known here.");
                }

                break;
        }
    }

    private Member MemberOf(string name)
    {
        if (_members.Find(member => member.Text == name) is { } known)
        {
            return known;
        }

        var member = new Member(name);
        _members.Add(member);
        return member;
    }

    private static Kinds KindOf(JsonNode? name) => Enum.Parse<Kinds>((string)name!, ignoreCase: true);

    private static string PathOf(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static JsonElement ToElement(JsonNode? constant) => JsonSerializer.SerializeToElement(constant);

    private sealed class Member(string text)
    {
        private readonly byte[] _name = Encoding.UTF8.GetBytes(text);

        public string Text => text;

        public ReadOnlySpan<byte> Name => _name;

        public bool IsRequired { get; set; }

        public PayloadCheck? Check { get; set; }
    }

    /// <summary>Between what a number may be, or how many there may be of something.</summary>
    private readonly record struct Bounds(double Least, double Most, bool IsAbove, bool IsBelow)
    {
        public static Bounds None { get; } = new(double.NegativeInfinity, double.PositiveInfinity, IsAbove: false, IsBelow: false);

        public Bounds With(string word, double limit) => word switch
        {
            "exclusiveMinimum" => this with { Least = limit, IsAbove = true },
            "exclusiveMaximum" => this with { Most = limit, IsBelow = true },
            _ when word.StartsWith("min", StringComparison.Ordinal) => this with { Least = limit },
            _ => this with { Most = limit },
        };

        public bool Allow(double value) => (IsAbove ? value > Least : value >= Least) && (IsBelow ? value < Most : value <= Most);

        public bool Allow(JsonElement number) => this == None || Allow(number.GetDouble());

        public override string ToString() => (double.IsFinite(Least), double.IsFinite(Most)) switch
        {
            (true, true) when !IsAbove && !IsBelow => $"{Least} to {Most}",
            (true, true) => $"{Lower} and {Upper}",
            (true, false) => Lower,
            _ => Upper,
        };

        private string Lower => IsAbove ? $"more than {Least}" : $"at least {Least}";

        private string Upper => IsBelow ? $"less than {Most}" : $"at most {Most}";
    }
}
