using System.Buffers;
using System.Numerics;
using System.Text.Json;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// One pass over a payload for what every reader has to be able to hold. The bytes are known to be JSON, and UTF-8: what is found here
/// is what parsers let through. Nothing is allocated for a payload of few members without escaped names.
/// </summary>
/// <param name="json">The payload.</param>
/// <param name="maxMembers">How many members its objects may have in all.</param>
/// <param name="openings">Room for as many levels as there may be.</param>
/// <param name="names">Room for some names; there may be more.</param>
internal ref struct PayloadScan(ReadOnlySpan<byte> json, int maxMembers, Span<int> openings, Span<PayloadScan.Name> names)
{
    /// <summary>Up to so many names are compared with each other.</summary>
    private const int Few = 16;

    private static readonly SearchValues<byte> Structure = SearchValues.Create("\"{}[]"u8);

    private readonly ReadOnlySpan<byte> _json = json;
    private readonly Span<int> _openings = openings;
    private readonly int _maxMembers = maxMembers;
    // Of all objects that are open, the outermost first; each level knows where its own begin.
    private Span<Name> _names = names;
    private List<byte[]>? _unescaped;
    private int _named;
    private int _members;
    private int _depth;
    private int _at;

    /// <summary>What is wrong; null when nothing is.</summary>
    public string? Refuse()
    {
        while (_json[_at..].IndexOfAny(Structure) is var next and >= 0)
        {
            _at += next + 1;
            var wrong = _json[_at - 1] switch
            {
                (byte)'"' => RefuseText(),
                (byte)'{' or (byte)'[' => Open(),
                _ => Close(),
            };
            if (wrong is not null)
            {
                return wrong;
            }
        }

        return null;
    }

    private string? Open()
    {
        if (_depth == _openings.Length)
        {
            return $"The payload is nested deeper than {_openings.Length} levels.";
        }

        _openings[_depth++] = _named;
        return null;
    }

    private string? Close()
    {
        var first = _openings[--_depth];
        var own = _names[first.._named];
        _named = first;
        return HasTwice(own) ? "An object of the payload has two members of the same name: its readers would not see the same." : null;
    }

    private string? RefuseText()
    {
        var start = _at;
        var isEscaped = false;
        while (true)
        {
            _at += _json[_at..].IndexOfAny((byte)'"', (byte)'\\') + 1;
            if (_json[_at - 1] == (byte)'"')
            {
                break;
            }

            isEscaped = true;
            if (RefuseEscape() is { } wrong)
            {
                return wrong;
            }
        }

        var end = _at - 1;
        while (_at < _json.Length && _json[_at] <= (byte)' ')
        {
            _at++;
        }

        return _at < _json.Length && _json[_at] == (byte)':' ? AddName(start, end, isEscaped) : null;
    }

    private string? RefuseEscape()
    {
        switch (_json[_at++])
        {
            case (byte)'b' or (byte)'f':
                return ControlCharacter;
            case (byte)'u':
                var unit = ReadUnit();
                if (unit < ' ' && unit is not ('\t' or '\n' or '\r'))
                {
                    return ControlCharacter;
                }

                return char.IsSurrogate(unit) && !(char.IsHighSurrogate(unit) && ReadsLowSurrogate()) ? "A text of the payload has half of a surrogate pair." : null;
            default:
                return null;
        }
    }

    private static string ControlCharacter => "A text of the payload has a control character other than tab, line feed and carriage return.";

    private bool ReadsLowSurrogate()
    {
        if (_json[_at] != (byte)'\\' || _json[_at + 1] != (byte)'u')
        {
            return false;
        }

        _at += 2;
        return char.IsLowSurrogate(ReadUnit());
    }

    private char ReadUnit()
    {
        var digits = _json.Slice(_at, 4);
        _at += 4;
        return (char)((Value(digits[0]) << 12) | (Value(digits[1]) << 8) | (Value(digits[2]) << 4) | Value(digits[3]));

        // Letters are 9 behind their last four bits.
        static int Value(byte digit) => (digit & 0xf) + (9 * (digit >> 6));
    }

    private string? AddName(int start, int end, bool isEscaped)
    {
        if (++_members > _maxMembers)
        {
            return $"The payload has more than {_maxMembers} members in all.";
        }

        if (_named == _names.Length)
        {
            var more = new Name[_named * 2];
            _names.CopyTo(more);
            _names = more;
        }

        _names[_named++] = isEscaped ? Unescape(_json[(start - 1)..(end + 1)]) : new Name(start, end - start);
        return null;
    }

    /// <param name="quoted">With its quotes.</param>
    private Name Unescape(ReadOnlySpan<byte> quoted)
    {
        var reader = new Utf8JsonReader(quoted);
        reader.Read();
        var text = new byte[quoted.Length];
        var length = reader.CopyString(text);
        _unescaped ??= [];
        _unescaped.Add(text);
        return new Name(~(_unescaped.Count - 1), length);
    }

    private readonly ReadOnlySpan<byte> TextOf(Name name) =>
        name.Start >= 0 ? _json.Slice(name.Start, name.Length) : _unescaped![~name.Start].AsSpan(0, name.Length);

    private readonly bool HasTwice(ReadOnlySpan<Name> names)
    {
        if (names.Length > Few)
        {
            return HasTwiceOfMany(names);
        }

        for (var i = 1; i < names.Length; i++)
        {
            var name = TextOf(names[i]);
            for (var j = 0; j < i; j++)
            {
                if (names[j].Length == name.Length && TextOf(names[j]).SequenceEqual(name))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private readonly bool HasTwiceOfMany(ReadOnlySpan<Name> names)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)names.Length * 2);
        var places = ArrayPool<int>.Shared.Rent(size);
        places.AsSpan(0, size).Clear();
        try
        {
            for (var i = 0; i < names.Length; i++)
            {
                var name = TextOf(names[i]);
                // Seeded anew by each process.
                var hash = default(HashCode);
                hash.AddBytes(name);
                var place = hash.ToHashCode() & (size - 1);
                for (; places[place] > 0; place = (place + 1) & (size - 1))
                {
                    if (TextOf(names[places[place] - 1]).SequenceEqual(name))
                    {
                        return true;
                    }
                }

                places[place] = i + 1;
            }

            return false;
        }
        finally
        {
            ArrayPool<int>.Shared.Return(places);
        }
    }

    /// <summary>A member's name.</summary>
    /// <param name="Start">Where it is in the payload; the complement of its place among the unescaped ones.</param>
    /// <param name="Length">In bytes.</param>
    internal readonly record struct Name(int Start, int Length);
}
