using RealtimeAspire.Server.Pipeline.Connections.WebSockets;

namespace RealtimeAspire.Tests.Server.WebSockets;

/// <summary>Makes what clients may send: right, nearly right, cut off, and noise.</summary>
internal static class FrameMill
{
    private static readonly int[] Lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 100, 124, 125, 126, 127, 300];

    public static (byte[] Stream, int Frames) Make(Random random)
    {
        List<byte> stream = [];
        var count = 1 + random.Next(12);
        var inMessage = false;
        for (var i = 0; i < count; i++)
        {
            stream.AddRange(random.Next(40) switch
            {
                0 => Noise(random, random.Next(20)),
                1 => ClientFrames.Of(random.Next(256), Payload(random)),
                2 => ClientFrames.Close(random.Next(5_100), "bye"),
                3 => Huge(random),
                4 or 5 => ClientFrames.Of(Opcode.Ping, Noise(random, random.Next(126))),
                6 => ClientFrames.Of(Opcode.Pong, Noise(random, random.Next(126))),
                _ => Part(random, ref inMessage),
            });
        }

        var bytes = stream.ToArray();
        if (random.Next(4) == 0 && bytes.Length > 0)
        {
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        }

        return (random.Next(6) == 0 ? bytes[..random.Next(bytes.Length + 1)] : bytes, count);
    }

    private static byte[] Part(Random random, ref bool inMessage)
    {
        var final = random.Next(3) > 0;
        var opcode = inMessage ? Opcode.Continuation : random.Next(2) == 0 ? Opcode.Text : Opcode.Binary;
        inMessage = !final;
        return ClientFrames.Of(opcode, Payload(random), final);
    }

    private static byte[] Huge(Random random)
    {
        byte[] head = [0x82, 0xff, .. BitConverter.GetBytes(random.NextInt64())];
        return [.. head, .. Noise(random, 4)];
    }

    private static byte[] Payload(Random random)
    {
        var length = random.Next(500) == 0 ? random.Next(70_000) : Lengths[random.Next(Lengths.Length)];
        return random.Next(20) == 0 ? Noise(random, length) : [.. Enumerable.Range(0, length).Select(i => (byte)('a' + (i % 26)))];
    }

    private static byte[] Noise(Random random, int length)
    {
        var noise = new byte[length];
        random.NextBytes(noise);
        return noise;
    }
}
