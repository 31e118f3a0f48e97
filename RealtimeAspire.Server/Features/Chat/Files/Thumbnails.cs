using SkiaSharp;

namespace RealtimeAspire.Server.Features.Chat.Files;

/// <summary>A picture's measures, as it is shown, and a small version of it.</summary>
internal sealed record Thumbnail(int Width, int Height, byte[] Content);

/// <summary>Makes small pictures of large ones.</summary>
internal static class Thumbnails
{
    public const string Type = "image/webp";

    // A few kilobytes can claim to be any size, and decoding makes them so.
    private const long MaxPixels = 50_000_000;
    private const int Quality = 80;

    /// <param name="content">Untrusted.</param>
    /// <param name="pixels">How wide and high it becomes at most.</param>
    /// <returns>Null: it is no picture that can be shown, or an exceedingly large one.</returns>
    public static Thumbnail? Make(byte[] content, int pixels)
    {
        using var data = SKData.CreateCopy(content);
        using var codec = SKCodec.Create(data);
        if (codec is null || codec.Info.Width < 1 || codec.Info.Height < 1 || (long)codec.Info.Width * codec.Info.Height > MaxPixels)
        {
            return null;
        }

        using var picture = SKBitmap.Decode(codec);
        if (picture is null)
        {
            return null;
        }

        // Cameras turn pictures by saying so.
        var turns = codec.EncodedOrigin switch
        {
            SKEncodedOrigin.RightTop or SKEncodedOrigin.LeftTop => 90,
            SKEncodedOrigin.BottomRight or SKEncodedOrigin.BottomLeft => 180,
            SKEncodedOrigin.LeftBottom or SKEncodedOrigin.RightBottom => 270,
            _ => 0,
        };
        var (width, height) = turns is 90 or 270 ? (picture.Height, picture.Width) : (picture.Width, picture.Height);
        var scale = Math.Min(1f, pixels / (float)Math.Max(width, height));
        using var surface = SKSurface.Create(new SKImageInfo(Math.Max(1, (int)(width * scale)), Math.Max(1, (int)(height * scale))));
        var canvas = surface.Canvas;
        canvas.Clear(SKColors.Transparent);
        canvas.Scale(scale);
        canvas.Translate(width / 2f, height / 2f);
        canvas.RotateDegrees(turns);
        canvas.Translate(-picture.Width / 2f, -picture.Height / 2f);
        // Else it is copied.
        picture.SetImmutable();
        using var image = SKImage.FromBitmap(picture);
        canvas.DrawImage(image, 0, 0, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear), null);
        using var small = surface.Snapshot();
        using var encoded = small.Encode(SKEncodedImageFormat.Webp, Quality);
        return new Thumbnail(width, height, encoded.ToArray());
    }
}
