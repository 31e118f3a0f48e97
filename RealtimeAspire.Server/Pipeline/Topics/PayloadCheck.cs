using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>
/// What a schema says about one value, made ready to check many by <see cref="SchemaReader"/>. Nothing is allocated for a payload that
/// is right.
/// </summary>
/// <param name="path">Where the value is, for people.</param>
internal sealed class PayloadCheck(string path)
{
    private readonly List<Member> _members = [];

    public JsonKinds Kinds { get; set; } = JsonKinds.Any;

    /// <summary>What members that the schema does not name have to be; null: anything.</summary>
    public PayloadCheck? Others { get; set; }

    /// <summary>There are no such members.</summary>
    public bool IsClosed { get; set; }

    public PayloadCheck? Items { get; set; }

    /// <summary>It is one of them.</summary>
    public JsonElement[]? Constants { get; set; }

    /// <summary>It has one of these forms at least.</summary>
    public PayloadCheck[]? Forms { get; set; }

    public SchemaBounds Length { get; set; } = SchemaBounds.None;

    public SchemaBounds Count { get; set; } = SchemaBounds.None;

    public SchemaBounds Number { get; set; } = SchemaBounds.None;

    public Member MemberOf(string name)
    {
        if (_members.Find(member => member.Text == name) is { } known)
        {
            return known;
        }

        var member = new Member(name);
        _members.Add(member);
        return member;
    }

    /// <summary>What is wrong with an untrusted value; null when nothing is.</summary>
    public string? Refuse(JsonElement value)
    {
        if ((Kinds & JsonKind.Of(value)) == JsonKinds.None)
        {
            return $"{Here} is not {JsonKind.NamesOf(Kinds)}.";
        }

        if (!IsConstant(value))
        {
            return $"{Here} is not {string.Join(" or ", Constants!.Select(constant => constant.GetRawText()))}.";
        }

        var wrong = value.ValueKind switch
        {
            JsonValueKind.String => RefuseText(value),
            JsonValueKind.Number => Number.Allow(value) ? null : $"{Here} is {Number}.",
            JsonValueKind.Array => RefuseItems(value),
            JsonValueKind.Object => RefuseMembers(value),
            _ => null,
        };
        return wrong ?? (HasForm(value) ? null : $"{Here} has none of the forms that it may have.");
    }

    private string Here => path.Length == 0 ? "The payload" : path;

    private bool IsConstant(JsonElement value)
    {
        foreach (var constant in Constants ?? [])
        {
            if (JsonElement.DeepEquals(constant, value))
            {
                return true;
            }
        }

        return Constants is null;
    }

    private bool HasForm(JsonElement value)
    {
        foreach (var form in Forms ?? [])
        {
            if (form.Refuse(value) is null)
            {
                return true;
            }
        }

        return Forms is null;
    }

    private string? RefuseText(JsonElement value)
    {
        if (LengthOf(value) is not { } length)
        {
            return $"{Here} is no text: it has half of a surrogate pair.";
        }

        return Length.Allow(length) ? null : $"{Here} has {Length} characters.";
    }

    private string? RefuseItems(JsonElement value)
    {
        if (!Count.Allow(value.GetArrayLength()))
        {
            return $"{Here} has {Count} items.";
        }

        if (Items is not null)
        {
            foreach (var item in value.EnumerateArray())
            {
                if (Items.Refuse(item) is { } wrong)
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
                    return $"{PathOf(path, member.Text)} is missing.";
                }
            }
            else if (member.Check?.Refuse(found) is { } wrong)
            {
                return wrong;
            }
        }

        if (IsClosed || Others is not null)
        {
            foreach (var property in value.EnumerateObject())
            {
                if (IsMember(property))
                {
                    continue;
                }

                if (IsClosed)
                {
                    return $"{Here} has a member that is not known.";
                }

                if (Others!.Refuse(property.Value) is { } wrong)
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

    public static string PathOf(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    public sealed class Member(string text)
    {
        private readonly byte[] _name = Encoding.UTF8.GetBytes(text);

        public string Text => text;

        public ReadOnlySpan<byte> Name => _name;

        public bool IsRequired { get; set; }

        public PayloadCheck? Check { get; set; }
    }
}
