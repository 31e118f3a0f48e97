using System.Buffers;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using MessagePack;
using RealtimeAspire.Protocol;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Fuzzing;

/// <summary>Sends a node what no client should send over the hub, in JSON or in MessagePack, and looks at each answer.</summary>
internal sealed class HubFuzzer(FuzzedServer server, FuzzMill mill, bool isPacked)
{
    private const int BatchSize = 48;
    // Whoever is refused more often is answered later.
    private const int Batches = 4;

    private const string Alive = "alive";

    /// <summary>How many inputs were sent and read: of a connection that the server has closed only those up to the one that did it.</summary>
    public int Inputs { get; private set; }

    /// <summary>How many were answered with a code.</summary>
    public int Refused { get; private set; }

    public int Answered { get; private set; }

    /// <summary>How many ended their connection.</summary>
    public int Closed { get; private set; }

    public async Task RunAsync(int count)
    {
        var queue = new List<byte[]>();
        while (Inputs < count)
        {
            using var socket = await FuzzSocket.ConnectAsync(server.Address, isPacked);
            for (var batches = 0; batches < Batches && Inputs < count; batches++)
            {
                while (queue.Count < BatchSize)
                {
                    queue.Add(Input(queue.Count));
                }

                var read = await SendAsync(socket, queue);
                queue.RemoveRange(0, read);
                Inputs += read;
                if (!socket.IsOpen)
                {
                    Closed++;
                    // What is left has ids of other places.
                    queue.Clear();
                    break;
                }
            }

            if (socket.IsOpen)
            {
                // What may leave the server waiting for more: it hangs up when the client does.
                await socket.SendAsync(Noise());
                Inputs++;
                await socket.EndAsync();
            }
        }
    }

    /// <returns>How many of them the server has read.</returns>
    private async Task<int> SendAsync(FuzzSocket socket, List<byte[]> inputs)
    {
        foreach (var input in inputs)
        {
            if (!await socket.SendAsync(input))
            {
                break;
            }
        }

        await socket.SendAsync(isPacked
            ? Packed.Frame(Packed.Write(new object?[] { 1, new { }, Alive, "Publish", new object?[] { new { topic = "fuzz:a", @event = "app:x", payload = 1 } }, Array.Empty<object?>() }))
            : Encoding.UTF8.GetBytes($$"""{"type":1,"invocationId":"{{Alive}}","target":"Publish","arguments":[{"topic":"fuzz:a","event":"app:x","payload":1}]}{{'\u001e'}}"""));
        var last = -1;
        while (await socket.NextAsync() is { } answer)
        {
            if (answer.Id == Alive)
            {
                Assert.Null(answer.Error);
                return inputs.Count;
            }

            if (int.TryParse(answer.Id, CultureInfo.InvariantCulture, out var place) && place >= 0 && place < inputs.Count)
            {
                last = Math.Max(last, place);
            }

            Judge(answer);
        }

        return Math.Min(last + 2, inputs.Count);
    }

    private void Judge(FuzzSocket.Answer answer)
    {
        if (answer.Error is not { } error)
        {
            Answered++;
            return;
        }

        const string Marker = "HubException: ";
        var at = error.IndexOf(Marker, StringComparison.Ordinal);
        var code = (at < 0 ? error : error[(at + Marker.Length)..]).Split(':')[0];
        Assert.True(ErrorCode.TryFind(code, out var known) && known != ErrorCode.Internal, $"answered without a code: {error}");
        Refused++;
    }

    private byte[] Input(int place)
    {
        var message = mill.Message(place.ToString(CultureInfo.InvariantCulture));
        if (!isPacked)
        {
            var json = Encoding.UTF8.GetBytes(message);
            return [.. mill.Rarely(12) ? mill.Mutate(json) : json, 0x1e];
        }

        byte[] packed;
        try
        {
            packed = Pack(message);
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair in a name has no form in MessagePack.
            packed = mill.Noise(200);
        }

        return Packed.Frame(mill.Rarely(12) ? mill.Mutate(packed) : packed);
    }

    private byte[] Noise() => mill.Next(3) switch
    {
        0 => mill.Noise(200),
        1 when Input(0) is var input => input[..mill.Next(input.Length)],
        _ => mill.Mutate(Input(0)),
    };

    /// <summary>The message in MessagePack: what is not one has no such form, and is sent as the value that it is.</summary>
    private byte[] Pack(string json)
    {
        using var parsed = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 200 });
        var message = parsed.RootElement;
        var output = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(output);
        if (mill.Rarely(40) || message.GetPropertyCount() < 4)
        {
            Pack(message, ref writer);
        }
        else
        {
            writer.WriteArrayHeader(mill.Rarely(40) ? mill.Next(8) : 6);
            Member(message, "type", ref writer);
            writer.WriteMapHeader(0);
            Member(message, "invocationId", ref writer);
            Member(message, "target", ref writer);
            Member(message, "arguments", ref writer);
            writer.WriteArrayHeader(0);
        }

        writer.Flush();
        return output.WrittenSpan.ToArray();
    }

    private void Member(JsonElement message, string name, ref MessagePackWriter writer)
    {
        if (message.TryGetProperty(name, out var value))
        {
            Pack(value, ref writer);
        }
        else
        {
            writer.WriteNil();
        }
    }

    private void Pack(JsonElement value, ref MessagePackWriter writer)
    {
        if (mill.Rarely(150))
        {
            // What JSON does not have.
            writer.WriteRaw(mill.One<byte[]>([0xca, 0x7f, 0xc0, 0, 0], [0xc4, 2, 1, 2], [0xd4, 7, 0], [0xd6, 0xff, 0, 0, 0, 1], [0xc7, 0, 0xff], [0xc1], [0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0], [0xa1, 0xff]));
            return;
        }

        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteMapHeader(value.GetPropertyCount());
                foreach (var member in value.EnumerateObject())
                {
                    writer.Write(TextOf(() => member.Name));
                    Pack(member.Value, ref writer);
                }

                break;
            case JsonValueKind.Array:
                writer.WriteArrayHeader(value.GetArrayLength());
                foreach (var item in value.EnumerateArray())
                {
                    Pack(item, ref writer);
                }

                break;
            case JsonValueKind.String:
                writer.Write(TextOf(value.GetString!));
                break;
            case JsonValueKind.Number when value.TryGetInt64(out var whole):
                writer.Write(whole);
                break;
            case JsonValueKind.Number:
                writer.Write(value.GetDouble());
                break;
            case JsonValueKind.True or JsonValueKind.False:
                writer.Write(value.GetBoolean());
                break;
            default:
                writer.WriteNil();
                break;
        }
    }

    private static string TextOf(Func<string> text)
    {
        try
        {
            return text();
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair.
            return "\ufffd";
        }
    }
}
