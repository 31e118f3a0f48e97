using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Tests.Server;

public sealed class TokenIssuerTests
{
    /// <summary>The race that this avoids took 200 cold starts on a busy core to be seen once: fifteen good tokens refused.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_signs_and_verifies_is_there_before_the_first_tokens_come_side_by_side(bool signs)
    {
        var key = TokenIssuer.KeyOf(new AuthOptions { SigningKey = new string('k', AuthOptions.MinKeyBytes) });

        Assert.True(key.CryptoProviderFactory.CryptoProviderCache.TryGetSignatureProvider(
            key, SecurityAlgorithms.HmacSha256, typeof(SymmetricSignatureProvider).ToString(), signs, out _));
    }
}
