using System.Text;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Features.Chat.Files;
using SkiaSharp;

namespace RealtimeAspire.Tests.Server.Chat;

public sealed class FileTests
{
    [Theory]
    [InlineData("%PDF-1.7", "application/pdf")]
    [InlineData("GIF89a...", "image/gif")]
    [InlineData("RIFF....WEBPVP8 ", "image/webp")]
    [InlineData("....ftypisom", "video/mp4")]
    [InlineData("OggS....", "audio/ogg")]
    [InlineData("hello\nwörld", "text/plain")]
    [InlineData("<svg onload='x()'>", "text/plain")]
    [InlineData("MZ\u0001\u0002", null)]
    [InlineData("", null)]
    public void A_file_is_what_its_content_says(string content, string? type) => Assert.Equal(type, FileKind.Of(Encoding.UTF8.GetBytes(content)));

    [Fact]
    public void A_thumbnail_has_the_picture_s_form_and_not_its_size()
    {
        var picture = Picture(1_200, 600);

        var made = Thumbnails.Make(picture, 300);

        Assert.Equal("image/png", FileKind.Of(picture));
        Assert.Equal((1_200, 600), (made!.Width, made.Height));
        Assert.Equal("image/webp", FileKind.Of(made.Content));
        using var small = SKBitmap.Decode(made.Content);
        Assert.Equal((300, 150), (small.Width, small.Height));
    }

    [Fact]
    public void What_only_looks_like_a_picture_has_none()
    {
        var cut = Picture(100, 100)[..40];

        Assert.Null(Thumbnails.Make(cut, 300));
        Assert.Null(Thumbnails.Make(Encoding.UTF8.GetBytes("GIF89a and no more"), 300));
    }

    [Fact]
    public void Marks_are_taken_out_of_a_text_and_say_where_they_were()
    {
        var (text, marks) = MessageSearch.Mark("the \u0002quick\u0003 <b>\u0002fox\u0003</b>");

        Assert.Equal("the quick <b>fox</b>", text);
        Assert.Equal([new TextMark(4, 5), new TextMark(13, 3)], marks);
    }

    internal static byte[] Picture(int width, int height)
    {
        using var bitmap = new SKBitmap(width, height);
        bitmap.Erase(SKColors.Teal);
        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }
}
